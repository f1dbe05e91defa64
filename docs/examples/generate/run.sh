#!/usr/bin/env bash
# From 50 queries to a measured adapter. Answers come from answers.jsonl, through a server that
# speaks the protocol; with a model of your own, set ENDPOINT and MODEL.
set -euo pipefail
cd "$(dirname "$0")"
if [ -z "${ENDPOINT:-}" ]; then
  rm -f port
  python ../../../tests/servers/chat_server.py --answers answers.jsonl --port-file port &
  trap 'kill %1; rm -f port' EXIT
  until [ -s port ]; do sleep 0.1; done
  ENDPOINT="http://127.0.0.1:$(cat port)/v1"
fi
semantic-router-lora generate queries.txt --domain travel --output travel.jsonl \
  --endpoint "$ENDPOINT" --model "${MODEL:-written-by-hand}" --resume
semantic-router-lora data split travel.jsonl --output-folder . --train 0.6 --dev 0.2 --test 0.2
semantic-router-lora train travel.yaml --output runs/travel-cache-lora-L6 --resume
semantic-router-lora benchmark --suite travel.test.jsonl --output benchmark-results \
  --adapter multi-domain-cache-lora-L6 --adapter runs/travel-cache-lora-L6
