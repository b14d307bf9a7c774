#!/bin/bash
# make.sh TREE FOLDER: two tiny runs made in FOLDER by the code in TREE, and its own translations of lines.txt.
set -e
here=$(dirname "$(realpath "$0")")
tree=$(realpath "$1")
mkdir -p "$2"
cd "$2"
export PYTHONPATH=$tree CUDA_VISIBLE_DEVICES="" OMP_NUM_THREADS=1
python=${PYTHON:-python}
for system in attention transformer; do
  # shellcheck disable=SC2046
  $python -m nmt.train $(cat "$here/$system.txt" "$here/shared.txt")
  $python -m nmt.translate run=$system device=cpu < "$here/lines.txt" > $system/translations.txt
  rm -rf $system/events.out.tfevents.* $system/.lock $system/checkpoints/.*.lock
  # In a run these are one file under two names; so they are here, where a link counts once.
  ln -sf "$(basename $system/checkpoints/step-*)" $system/checkpoints/best.safetensors
done
rm -rf cache
