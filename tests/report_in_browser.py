#!/usr/bin/env python3
# Pages of `glia report` as a browser shows them: whole, legible on a desk and on a phone, and without asking for anything. Then pages
# that are broken on purpose, where each fault must be seen. Status 77 where there is no browser: a skip.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: report_in_browser.py GLIA WORK
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import zipfile

import browser

HOSTILE = '<b>&"x'
TAGS = set("html head meta title style body h1 h2 p div table tbody tr th td svg g rect text line path circle image clipPath defs".split())
FACTS = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "report_in_browser.js"), encoding="utf-8").read()
PLACE = """picture.scrollIntoView({inline: 'nearest'}); box = picture.getBoundingClientRect();
  ({x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: box.height})"""
drawn_by_chance = random.Random(1)


# --- what is reported on

def write_npz(path, arrays):
    """name -> (dtype, shape, bytes)"""
    with zipfile.ZipFile(path, "w") as file:
        for name, (dtype, shape, values) in arrays.items():
            head = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
            head += b" " * (-(len(head) + 11) % 64) + b"\n"
            file.writestr(name + ".npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + values)


def images(count, wrong):
    """8 x 8 pixels of noise with a bright stripe, whose place is the class; the first labels are wrong."""
    labels = [i % 3 for i in range(count)]
    pixels = bytes(min(255, 80 * (column // 3 == label) + drawn_by_chance.randrange(170))
                   for label in labels for _ in range(8) for column in range(8))
    told = [(label + (i < wrong)) % 3 for i, label in enumerate(labels)]
    return ("|u1", (count, 8, 8), pixels), ("<i4", (count,), struct.pack(f"<{count}i", *told))


def write_table(path, count, told):
    """Two columns of numbers, and what `told` makes of them."""
    with open(path, "w", encoding="utf-8") as file:
        file.write("a,b,y\n")
        for _ in range(count):
            a, b = drawn_by_chance.gauss(0, 1), drawn_by_chance.gauss(0, 1)
            file.write(f"{a},{b},{told(a, b)}\n")


def glia(*arguments):
    done = subprocess.run([program, *arguments], cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    if done.returncode != 0:
        sys.exit(f"report_in_browser: glia {' '.join(arguments)} ended with {done.returncode}: {done.stdout}")


def make_page(name, data, training=(), options=(), title=HOSTILE):
    glia("train", "--device", "cpu", "--data", *data, "--epochs", "4", "--learning-rate", "0.02", "--verbose", "0", "--out",
         name + ".safetensors", "--history", name + ".json", *training)
    glia("report", name + ".json", "--model", name + ".safetensors", "--data", *data, "--title", title, "-o", name + ".html", *options)


def make_pages():
    """What is to be on each: panels of drawings, classes and rows that were judged, pictures, texts, rows of tables."""
    train, test = images(300, 0), images(60, 6)
    write_npz(os.path.join(work, "images.npz"), {"x_train": train[0], "y_train": train[1], "x_test": test[0], "y_test": test[1]})
    make_page("images", ["images.npz"], options=["--mistakes", "4"])
    quoted = '"' + HOSTILE.replace('"', '""') + '"'
    write_table(os.path.join(work, "names.csv"), 200,
                lambda a, b: quoted if a + drawn_by_chance.gauss(0, 0.7) > 0.5 else "o'k" if b > 0 else "plain")
    make_page("names", ["names.csv", "--target", "y"], options=["--mistakes", "7"])
    write_table(os.path.join(work, "two.csv"), 100, lambda a, b: quoted if a + drawn_by_chance.gauss(0, 0.7) > 0 else "no")
    layers = [{"class_name": "Dense", "config": {"units": 1, "activation": "sigmoid", "input_shape": [2]}}]
    with open(os.path.join(work, "two_model.json"), "w", encoding="utf-8") as file:
        model = {"class_name": "Sequential", "config": {"name": "two", "layers": layers}}
        json.dump({"model": model, "loss": "binary_crossentropy"}, file)
    make_page("two", ["two.csv", "--target", "y"], ["--config", "two_model.json"], ["--mistakes", "5"])
    write_table(os.path.join(work, "numbers.csv"), 50, lambda a, b: 3 * a - b)
    make_page("numbers", ["numbers.csv", "--target", "y"], options=["--mistakes", "6"])
    with open(os.path.join(work, "images.json"), encoding="utf-8") as file:
        history = json.load(file)
    for epoch in history["epochs"]:
        for i in range(12):
            epoch[f"{HOSTILE} {i}"] = epoch["loss"] * i
    history[HOSTILE] = {"long": "word" * 100}
    with open(os.path.join(work, "history.json"), "w", encoding="utf-8") as file:
        json.dump(history, file)
    glia("report", "history.json", "-o", "history.html")
    return {
        "images": dict(title=HOSTILE, panels=2, classes=3, rows=60, pictures=4, texts=["The worst mistakes"], lines=[3, 5]),
        "names": dict(title=HOSTILE, panels=2, classes=3, rows=200, pictures=0, texts=[HOSTILE, "o'k", "plain"], lines=[8, 3, 5]),
        "two": dict(title=HOSTILE, panels=2, classes=2, rows=100, pictures=0,
                    texts=[f'One output: above 0.5 it says no, else {HOSTILE}.'], lines=[6, 3, 5]),
        "numbers": dict(title=HOSTILE, panels=3, classes=0, rows=50, pictures=0, texts=["Predicted against true", "The worst rows"],
                        lines=[7, 3, 5]),
        "history": dict(title="Training", panels=14, classes=0, rows=0, pictures=0, texts=[HOSTILE, HOSTILE + " 11"], lines=[2, 5]),
    }


# --- what is asked of a page

def faults_of(shown, path, width, expected):
    """All that is wrong with a page."""
    shown.show(path, width)
    facts, faults = shown.value_of(FACTS), []

    def expect(condition, fault):
        if not condition:
            faults.append(fault)

    fetched = [url for url in shown.requests if not url.startswith("data:") and url != "file://" + path]
    expect(not fetched, f"asks for {fetched}")
    expect(facts["width"] == width and facts["fullWidth"] <= width and not facts["tooWide"],
           f"wider than the window: {facts['fullWidth']} pixels; {facts['tooWide']}")
    expect(not facts["cutOff"], f"text cut off: {facts['cutOff']}")
    expect(not facts["tooSmall"], f"text too small: {facts['tooSmall']}")
    expect(not facts["unseen"], f"not to be seen: {facts['unseen']}")
    expect(set(facts["tags"]) <= TAGS, f"elements of texts: {set(facts['tags']) - TAGS}")
    for text in [expected["title"], *expected["texts"]]:
        expect(text in facts["texts"], f"text missing: {text}")
    expect(facts["title"] == expected["title"], f"title is {facts['title']}")

    panels = facts["panels"]
    expect(len(panels) == expected["panels"], f"curves: {len(panels)} panels, expected {expected['panels']}")
    expect(all(panel and all(s["length"] > 10 or s["points"] > 0 for s in panel) for panel in panels), f"curves: not drawn: {panels}")
    if not expected["classes"] and expected["rows"]:
        expect(panels and panels[-1][-1]["points"] == expected["rows"], "curves: not a point for each row")

    cells, classes = facts["cells"], expected["classes"]
    expect(len(cells) == classes**2, f"matrix: {len(cells)} cells, expected {classes**2}")
    expect(not classes or sum(cells) == expected["rows"], f"matrix: of {sum(cells)} rows, expected {expected['rows']}")
    if classes:
        right = sum(cells[::classes + 1])
        heading = f"On {expected['rows']} rows: {right} right, {expected['rows'] - right} wrong"
        expect(heading in facts["texts"], f"matrix: no heading '{heading}'")

    pictures = facts["pictures"]
    expect(len(pictures) == expected["pictures"], f"pictures: {len(pictures)}, expected {expected['pictures']}")
    expect(all(p["width"] > 0 and p["isSeen"] for p in pictures), f"pictures: not decoded: {pictures}")
    for i in range(len(pictures)):  # each leaves a blank where it is hidden
        clip = shown.value_of(f"picture = document.querySelectorAll('img, svg image')[{i}]; {PLACE}")
        before = shown.picture(clip)
        shown.value_of("picture.style.visibility = 'hidden'; 0")
        expect(before != shown.picture(clip), f"pictures: nothing is drawn of number {i}")
    expect(facts["lines"] == expected["lines"], f"tables of {facts['lines']} rows, expected {expected['lines']}")
    expect(not shown.complaints, f"console: {shown.complaints}")  # last, when all is said
    return faults


def without_policy(text):
    return re.sub(r"<meta http-equiv=.Content-Security-Policy.[^>]*>", "", text)


def before_end(addition):
    return lambda text: text.replace("</body>", addition + "</body>")


# page, how it is broken, what must be said of it
BROKEN = [
    ("images", lambda text: re.sub(r"data:image/png;base64,[^\"]{20}", "data:image/png;base64,", text, count=1), "pictures: not decoded"),
    ("images", lambda text: re.sub(r"<image [^>]*>", "", text, count=1), "pictures: 3"),
    ("images", before_end("<style>image { clip-path: inset(50%) }</style>"), "pictures: nothing is drawn"),
    ("images", lambda text: text.replace("&lt;b&gt;", "<b>"), "elements of texts"),
    ("names", lambda text: text.replace("&amp;", "&amp;amp;"), "text missing"),
    ("images", before_end("<img src='https://example.invalid/a.png'>"), "console"),
    ("images", lambda text: without_policy(before_end("<img src='https://example.invalid/a.png'>")(text)), "asks for"),
    ("images", before_end("<script>alert(1)</script>"), "console"),
    ("images", lambda text: without_policy(before_end("<script>throw new Error('no')</script>")(text)), "console"),
    ("history", lambda text: text.replace("overflow-x: auto", ""), "wider than the window"),
    ("images", before_end("<style>h1 { width: 2000px }</style>"), "wider than the window"),
    ("images", lambda text: text.replace("max-width: none", ""), "text too small"),
    ("images", before_end("<style>svg text { translate: -300px }</style>"), "text cut off"),
    ("images", lambda text: re.sub(r"<path [^>]*>", "", re.sub(r"<circle [^>]*>", "", text)), "curves: not drawn"),
    ("images", before_end("<style>svg { visibility: hidden }</style>"), "not to be seen"),
    ("names", lambda text: re.sub(r"<g class=\"cell\">.*?</g>", "", text, count=1, flags=re.S), "matrix: 8 cells"),
    ("names", lambda text: re.sub(r"(<g class=\"cell\">.*?<text [^>]*>)", r"\g<1>1", text, count=1, flags=re.S), "matrix: of"),
    ("numbers", lambda text: re.sub(r"<circle [^>]*>(?!.*<circle)", "", text, flags=re.S), "curves: not a point"),
]


def main():
    pages = make_pages()
    shown = browser.Browser(found, work)
    wrong = 0
    try:
        for name, expected in pages.items():
            path = os.path.join(work, name + ".html")
            for width in (1280, 400):
                for fault in faults_of(shown, path, width, expected):
                    wrong += 1
                    print(f"report_in_browser: {path} at {width} pixels: {fault}")
                with open(os.path.join(work, f"{name}-{width}.png"), "wb") as file:
                    file.write(shown.picture())
        for number, (name, broken, fault) in enumerate(BROKEN if not wrong else []):
            with open(os.path.join(work, name + ".html"), encoding="utf-8") as file:
                text = file.read()
            path = os.path.join(work, f"broken-{number}.html")
            with open(path, "w", encoding="utf-8") as file:
                file.write(broken(text))
            said = faults_of(shown, path, 400, pages[name])
            if broken(text) == text or not any(one.startswith(fault) for one in said):
                wrong += 1
                print(f"report_in_browser: {path} was to be told of '{fault}', and is of: {said}")
    finally:
        shown.close()
    if wrong:
        sys.exit(f"report_in_browser: {wrong} faults; pictures of the pages are in {work}")
    print(f"report_in_browser: {len(pages)} pages in 2 widths are as they should be, {len(BROKEN)} faults are seen")


found = browser.find()
if not found:
    print("SKIPPED: no Chromium here (Debian: chromium-headless-shell), and none named in $GLIA_BROWSER")
    sys.exit(77)
program, work = map(os.path.abspath, sys.argv[1:3])
shutil.rmtree(work, ignore_errors=True)
os.makedirs(work)
main()
