#!/usr/bin/env bash
# An adapter for the routes of router.yaml, and what it is worth on test.jsonl, which fit never sees.
# Needs the extra "train" and semantic-router 1.x. An argument names another folder for the adapter.
set -euo pipefail
cd "$(dirname "$0")/../../.."
output="${1:-runs/support}"
semantic-router-lora fit docs/examples/fit/router.yaml \
  --out-of-scope docs/examples/fit/out-of-scope.txt --output "$output"
python docs/examples/fit/evaluate.py docs/examples/fit/router.yaml "$output" \
  docs/examples/fit/test.jsonl docs/results/fit-example.json
if [ -f "$output/confusion.png" ]; then cp "$output/confusion.png" docs/results/fit-confusion.png; fi
