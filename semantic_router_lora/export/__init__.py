"""Writing a model to one folder that runs without PyTorch, peft or this package.

`graph` draws BERT as an ONNX graph, `int8` quantises it and says what that costs, `onnx_folder`
writes the folder, and `folder` and `external` read it. `merged` writes base and adapter as one
model of sentence-transformers, from `merged_files` and `merged_card`. Both compare what they wrote
(`proof`) before it appears (`output`).
"""
