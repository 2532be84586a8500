#!/usr/bin/env bash
# README's pictures are there, are well-formed, are shown, and were made from the sources as they are now.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: tests/pictures_test.sh REPOSITORY
set -euo pipefail
cd "$1"

folder=docs/pictures problems=0
problem() { printf 'docs.pictures: %s\n' "$*" >&2 && problems=$((problems + 1)); }

# Says what is wrong with FILE as an SVG, or nothing: elements nest and end, attributes are quoted and stand once, and what XML
# reserves is escaped.
svg_problem() {
  LC_ALL=C awk -v RS='<' '
    function fail(why) { if (!failed) print why; failed = 1; exit }
    function outside(text) { if (depth == 0 && text !~ /^[ \n]*$/) fail("text outside of the root element") }
    {
      end = index($0, ">")
      if (NR == 1) { if ($0 != "") fail("text before the first element"); next }
      if (!end) fail("an element that does not end: <" substr($0, 1, 40))
      tag = substr($0, 1, end - 1); text = substr($0, end + 1)
      references = tag text
      gsub(/&(amp|lt|gt|quot|#39);/, "", references)
      if (references ~ /&/ || text ~ />/) fail("a character that must be escaped, near: " substr(text, 1, 40))
      if (tag ~ /^\?xml .*\?$/) { if (NR != 2) fail("an XML declaration that is not the first"); outside(text); next }
      if (tag ~ /^\//) {
        if (depth == 0 || open[depth] != substr(tag, 2)) fail("</" substr(tag, 2) "> without its begin")
        --depth
        outside(text)
        next
      }
      empty = sub(/\/$/, "", tag)
      if (!match(tag, /^[A-Za-z]+/)) fail("no element: <" substr(tag, 1, 40))
      name = substr(tag, 1, RLENGTH); attributes = substr(tag, RLENGTH + 1)
      if (depth == 0 && (roots++ || name != "svg")) fail("not one <svg> that holds everything")
      split("", seen)
      while (match(attributes, /^[ \n]+[A-Za-z][A-Za-z0-9:-]*="[^"]*"/)) {
        attribute = substr(attributes, 1, RLENGTH); attributes = substr(attributes, RLENGTH + 1)
        sub(/^[ \n]+/, "", attribute); sub(/=.*/, "", attribute)
        if (attribute in seen) fail("<" name "> has " attribute " twice")
        seen[attribute] = 1
      }
      if (attributes !~ /^[ \n]*$/) fail("<" name "> has an attribute that is none: " substr(attributes, 1, 40))
      if (!empty) open[++depth] = name
      outside(text)
    }
    END { if (!failed && (depth || !roots)) print (roots ? "<" open[depth] "> does not end" : "no <svg>") }' "$1"
}

for entry in README.md:{curve,predictions,confusion} docs/reinforcement.md:{dqn_curve,dqn_episode}; do
  page=${entry%:*} name=${entry#*:}
  picture=$folder/$name.svg
  if [[ ! -s $picture ]]; then
    problem "$picture is missing; run scripts/pictures.sh"
    continue
  fi
  wrong=$(svg_problem "$picture")
  if [[ -n $wrong ]]; then problem "$picture is no well-formed SVG ($wrong); run scripts/pictures.sh"; fi
  if (($(wc -c <"$picture") > 100000)); then problem "$picture has more than 100,000 bytes: too much for $page"; fi
  grep -qE "<img [^>]*src=\"$picture\"|]\(${picture#docs/}\)" "$page" || problem "$page does not show $picture"
done

made_from=$folder/made_from.sha256
declare -A made=()
if [[ -f $made_from ]]; then while read -r sum file; do made[$file]=$sum; done <"$made_from"; fi
stale=()
while read -r file; do
  now=$(sha256sum "$file" | cut -d' ' -f1)
  if [[ ${made[$file]:-} != "$now" ]]; then stale+=("$file"); fi
  unset "made[$file]"
done < <(scripts/pictures.sh --sources)
stale+=("${!made[@]}") # what is there no longer
if ((${#stale[@]})); then
  problem "the pictures are older than ${stale[*]}; run scripts/pictures.sh, look at them and commit $folder"
fi

lines=$(wc -l <README.md)
if ((lines > 150)); then problem "README.md has $lines lines, expected at most 150: the rest belongs into docs/"; fi
((problems == 0))
