#!/usr/bin/env bash
# The Europarl comparison within MINUTES a system on DEVICE, resumable: the same command goes on where it was cut.
#   scripts/europarl.sh [minutes a system, default 3] [device, default auto] [more overrides of nmt.compare ...]
# Without a GPU the models and batches are reduced, and the run is named europarl-cpu, so that the two never mix.
# NMT_DATA names the folder that holds europarl-en-fr/ (default ../shared/data).
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-3} device=${2:-auto}
shift $(($# < 2 ? $# : 2))
python=${PYTHON:-.venv/bin/python}
if [ "$device" = auto ]; then
  device=$("$python" -c 'import torch; print("cuda" if torch.cuda.is_available() else "cpu")')
fi
arguments=(+comparison=europarl "budget=$minutes" "device=$device")
if [ "$device" = cpu ]; then
  recurrent="'model.embedding_size=256','model.encoder_layers=1','model.decoder_layers=1','model.decoder_size=512'"
  arguments+=(
    name=europarl-cpu
    "overrides=['batching.tokens=2048','tokenizer.vocabulary_size=8000','trainer.validate_every=1000']"
    "systems.fixed.overrides=[$recurrent,'model.encoder_size=512']"
    "systems.attention.overrides=[$recurrent,'model.encoder_size=256']"
    "systems.transformer.overrides=['model.size=256','model.feed_forward_size=1024','model.encoder_layers=3','model.decoder_layers=3']"
    decoding.batch_size=64
  )
fi
exec "$python" -m nmt.compare "${arguments[@]}" "$@"
