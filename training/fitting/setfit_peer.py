"""Train SetFit on a task of measure.py; run by the interpreter of an environment that has it."""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments

path = Path(sys.argv[1])
task = json.loads(path.read_text())
settings = {"batch_size": 16, "num_epochs": 1, "num_iterations": task["pairs"]}
texts = [text for found in task["routes"].values() for text in found]
labels = [name for name, found in task["routes"].items() for _ in found]
start, cpu = time.perf_counter(), time.process_time()
model = SetFitModel.from_pretrained(task["base"], labels=sorted(task["routes"]))
arguments = TrainingArguments(
    **settings, seed=task["seed"], report_to="none", save_strategy="no", output_dir=str(path.parent)
)
Trainer(
    model, args=arguments, train_dataset=Dataset.from_dict({"text": texts, "label": labels})
).train()
seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
chosen = [str(name) for name in model.predict(task["texts"])]
names = ("setfit", "sentence-transformers", "transformers", "torch", "datasets")
path.write_text(
    json.dumps(
        {
            "chosen": chosen,
            "seconds": round(seconds, 1),
            "cpu_seconds": round(cpu_seconds, 1),
            "settings": settings,
            "versions": {name: version(name) for name in names},
        }
    )
)
