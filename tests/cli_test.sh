#!/usr/bin/env bash
# `glia` as somebody without C++ uses it: trains on a table and on images, judges, predicts, converts, reports; and what it says of
# mistakes.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: cli_test.sh GLIA SOURCE WORK HAS_KERAS HAS_ONNX
set -euo pipefail

glia=$1 source=$2 work=$3 has_keras=$4 has_onnx=$5
rm -rf "$work"
mkdir -p "$work"
cd "$work"

fail() { echo "cli: $*" >&2 && exit 1; }
# says TEXT COMMAND...: exit code 0 and the text on stdout.
says() {
  local text=$1 out
  shift
  out=$("$@") || fail "$* failed"
  [[ $out == *"$text"* ]] || fail "$* did not say '$text' but: $out"
}
# refuses CODE TEXT COMMAND...: that exit code, and the text on stderr.
refuses() {
  local code=$1 text=$2 status=0 out
  shift 2
  out=$("$@" 2>&1 >/dev/null) || status=$?
  [[ $status == "$code" ]] || fail "$* ended with $status, expected $code: $out"
  [[ $out == *"$text"* ]] || fail "$* did not say '$text' but: $out"
}

# A table without a header, with classes by name.
says 'Wrote iris.safetensors' "$glia" train --device cpu --data "$source/samples/data/iris.csv" --no-header --target 4 --hidden 16 \
  --epochs 40 --validation-split 0 --learning-rate 0.02 --verbose 0 --out iris.safetensors --history iris.json
accuracy=$("$glia" evaluate iris.safetensors --device cpu --data "$source/samples/data/iris.csv" --no-header --target 4 --json |
  sed -n 's/.*"accuracy": \([0-9.]*\).*/\1/p')
[[ $accuracy == 1* || $accuracy == 0.9* ]] || fail "accuracy $accuracy on iris"
printf '5.1,3.5,1.4,0.2\n7.0,3.2,6.0,2.2\n' >rows.csv
says 'Iris-setosa' "$glia" predict iris.safetensors rows.csv --device cpu --no-header
says '"class": "Iris-virginica"' "$glia" predict iris.safetensors rows.csv --device cpu --no-header --json --top 1
# Labels are the model's, also where a table has fewer classes; one that the model does not know is refused.
grep -v setosa "$source/samples/data/iris.csv" >two.csv
two=$("$glia" evaluate iris.safetensors --device cpu --data two.csv --no-header --target 4 --json | sed -n 's/.*"accuracy": \([0-9.]*\).*/\1/p')
[[ $two == 1* || $two == 0.9* ]] || fail "accuracy $two on two of three classes"
sed 's/virginica/pumila/' two.csv >unknown.csv
refuses 2 'Iris-pumila' "$glia" evaluate iris.safetensors --device cpu --data unknown.csv --no-header --target 4
says 'Wrote y.npy, (2, 3)' "$glia" predict iris.safetensors rows.csv --device cpu --no-header --out y.npy
says 'float32 [2,3]' "$glia" inspect y.npy
says '"parameters": 139' "$glia" inspect iris.safetensors --json
says 'Iris-versicolor' "$glia" inspect iris.safetensors

# The same from a file of options, and from where an earlier run came to.
printf '{"data": "%s", "no-header": true, "target": "4", "hidden": [8, 8], "epochs": 3, "out": "config.safetensors", "verbose": 0}\n' \
  "$source/samples/data/iris.csv" >config.json
says 'Wrote config.safetensors' "$glia" train --device cpu --config config.json
says '"epochs": 2' "$glia" train --device cpu --config config.json --epochs 2 --resume steps --json
says '"epochs": 3' "$glia" train --device cpu --config config.json --epochs 5 --resume steps --json
refuses 2 '"epoch", which is no option' "$glia" train --config <(echo '{"epoch": 3}')

# Other programs' formats, and back.
numbers_of() { tail -c 24 "$1" | od -An -v -tf4 -w4; }
"$glia" predict iris.safetensors rows.csv --device cpu --no-header --json >as_glia.json
for format in $([[ $has_keras != 1 ]] || echo keras) $([[ $has_onnx != 1 ]] || echo onnx); do
  says "iris.$format: " "$glia" convert iris.safetensors "iris.$format"
  says '"format"' "$glia" inspect "iris.$format" --json
  "$glia" convert "iris.$format" "from_$format.safetensors" >/dev/null
  "$glia" predict "iris.$format" rows.csv --device cpu --no-header --out "y_$format.npy" >/dev/null
  paste <(numbers_of y.npy) <(numbers_of "y_$format.npy") | awk '{ far += ($1 - $2)^2 > 1e-10 } END { exit far || NR != 6 }' ||
    fail "predictions of iris.$format are others"
done
says 'iris.weights.safetensors: tensors' "$glia" convert iris.safetensors iris.weights.safetensors
says 'Wrote report.html' "$glia" report iris.json -o report.html --title 'Irises & <others>'
for text in '<!DOCTYPE html>' '<title>Irises &amp; &lt;others&gt;</title>' '<svg' '</html>' 'accuracy'; do
  [[ $(<report.html) == *"$text"* ]] || fail "report.html has no $text"
done
# What a model gets wrong: labels, two classes of one output, numbers.
says 'Wrote report.html' "$glia" report iris.json --model iris.safetensors --data "$source/samples/data/iris.csv" --no-header --target 4
[[ $(<report.html) =~ On\ 150\ rows:\ 1[34][0-9]\ right && $(<report.html) == *'>Iris-setosa</text>'* ]] || fail 'report.html has no confusion matrix'
printf 'x,z,y\n1,2,3\n2,1,3\n4,4,8\n5,0,5\n' >sums.csv
says 'Wrote sums.safetensors' "$glia" train --device cpu --data sums.csv --target y --epochs 2 --validation-split 0 --verbose 0 --out sums.safetensors --history sums.json
says 'Wrote report.html' "$glia" report sums.json --model sums.safetensors --data sums.csv --target y --mistakes 2
[[ $(<report.html) == *'On 4 rows: off by '*'Predicted against true'*'The worst rows'* ]] || fail 'report.html says nothing of numbers'
layers='[{"class_name": "Dense", "config": {"units": 1, "activation": "sigmoid", "input_shape": [2]}}]'
echo '{"model": {"class_name": "Sequential", "config": {"name": "one", "layers": '"$layers"'}}, "loss": "binary_crossentropy", "classes": true}' >one.json
printf 'x,z,y\n1,2,0\n2,1,0\n4,4,1\n5,0,1\n' >one.csv
says 'Wrote one.safetensors' "$glia" train --device cpu --config one.json --data one.csv --target y --epochs 2 --validation-split 0 --verbose 0 --out one.safetensors
says 'Wrote report.html' "$glia" report sums.json --model one.safetensors --data one.csv --target y --classes
[[ $(<report.html) == *'On 4 rows: '*'above 0.5 it says 1, else 0.'*'Confusion matrix'* ]] || fail 'report.html says nothing of one output'
sed 's/,Iris.*/,7/' "$source/samples/data/iris.csv" >sevens.csv
refuses 2 'is --classes missing?' "$glia" report sums.json --model iris.safetensors --data sevens.csv --no-header --target 4

# What is wrong is said, with an exit code of its own.
refuses 2 'A subcommand is required' "$glia"
refuses 2 'glia train needs --data' "$glia" train
refuses 3 "cannot open 'nothing.csv'" "$glia" train --data nothing.csv --target x
refuses 2 'needs --target' "$glia" train --data rows.csv
refuses 3 "is no model" "$glia" predict rows.csv rows.csv
refuses 2 'cannot tell a format' "$glia" convert iris.safetensors iris.txt
refuses 3 'is no history' "$glia" report config.json
refuses 4 'cuda:7' env GLIA_CUDA_LIBRARY= "$glia" predict iris.safetensors rows.csv --no-header --device cuda:7
truncate -s 700 iris.safetensors
refuses 3 'iris.safetensors' "$glia" inspect iris.safetensors

says 'In use: ' "$glia" devices
says 'fashion_mnist' "$glia" datasets
says 'glia train --data fashion_mnist' "$glia" --help
bash -c "source <('$glia' completion bash) && COMP_WORDS=(glia tr) COMP_CWORD=1 && _glia && [[ \${COMPREPLY[0]} == train ]]" || fail 'completion of train'
says 'complete -c glia' "$glia" completion fish

# Ctrl-C: what was learnt so far is written.
status=0
timeout --preserve-status -s INT 1 "$glia" train --device cpu --data "$source/samples/data/iris.csv" --no-header --target 4 --epochs 1000000 \
  --verbose 0 --out ended.safetensors >/dev/null 2>ended.log || status=$?
[[ $status == 130 && -s ended.safetensors ]] || fail "ended by Ctrl-C with $status: $(<ended.log)"
echo "cli: all passed"
