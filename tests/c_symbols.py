#!/usr/bin/env python3
"""What a foreign-function interface takes from glia/c.h, compared with what is there.

Its functions are the shared library's symbols that begin with glia_, all of them and no others, and each is declared once. The
sizes and offsets of its structs, as ctypes lays them out by the text of the header, are those that the C compiler gives them,
without padding.
Prints the table of both; fails where they differ, and, first, where a wrong header would go unseen.

Usage: c_symbols.py INCLUDE_FOLDER SHARED_LIBRARY NM C_COMPILER
"""
# SPDX-License-Identifier: Apache-2.0

import ctypes
import pathlib
import re
import subprocess
import sys
import tempfile

SCALARS = {
    "size_t": ctypes.c_size_t,
    "double": ctypes.c_double,
    "float": ctypes.c_float,
    "int32_t": ctypes.c_int32,
    "int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64,
}


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


def functions_of(header):
    """The names of what is declared GLIA_C_API. Every other declaration of a function is an error."""
    names = re.findall(r"\bGLIA_C_API\b[^;(]*?\b(glia_\w+)\s*\(", header)
    rest = re.sub(r"\bGLIA_C_API\b[^;]*;", " ", header)
    rest = re.sub(r"typedef[^;{]*\(\*glia_\w+\)[^;]*;", " ", rest)
    stray = re.findall(r"\b(glia_\w+)\s*\(", rest)
    if stray:
        raise ValueError(f"declared without GLIA_C_API: {', '.join(stray)}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"declared twice: {', '.join(twice)}")
    return set(names)


def structs_of(header):
    """Every struct with members, as ctypes lays it out: {name: Structure}."""
    constants = {name: int(value) for name, value in re.findall(r"#define\s+(GLIA_\w+)\s+(\d+)", header)}
    types = dict(SCALARS)
    for old, new in re.findall(r"typedef\s+(\w+)\s+(glia_\w+)\s*;", header):
        types[new] = types[old]
    pointers = set(re.findall(r"typedef[^;{]*\(\*(glia_\w+)\)", header))
    structs = {}
    for name, body in re.findall(r"typedef\s+struct\s+(glia_\w+)\s*\{(.*?)\}\s*\1\s*;", header, flags=re.S):
        fields = []
        for member in filter(None, (part.strip() for part in body.split(";"))):
            match = re.fullmatch(r"(?P<type>[\w\s*]+?)(?P<name>\w+)(\[(?P<count>\w+)\])?", member)
            if not match:
                raise ValueError(f"{name}: not understood: {member}")
            kind = match["type"].replace("const", " ").strip()
            if "*" in kind or kind in pointers:
                field = ctypes.c_void_p
            else:
                field = types[kind]
            if match["count"]:
                field = field * int(constants.get(match["count"], match["count"]))
            fields.append((match["name"], field))
        types[name] = structs[name] = type(name, (ctypes.Structure,), {"_fields_": fields})
    return structs


def layout_by_ctypes(structs):
    table = {}
    for name, struct in structs.items():
        table[name] = ctypes.sizeof(struct)
        for field, _ in struct._fields_:
            table[f"{name}.{field}"] = getattr(struct, field).offset
    return table


def layout_by_compiler(structs, include, compiler):
    lines = ["#include <glia/c.h>", "#include <stdio.h>", "int main(void) {"]
    for name, struct in structs.items():
        lines.append(f'  printf("{name} %zu\\n", sizeof({name}));')
        for field, _ in struct._fields_:
            lines.append(f'  printf("{name}.{field} %zu\\n", offsetof({name}, {field}));')
    lines.append("  return 0;\n}\n")
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder, "layout.c"), pathlib.Path(folder, "layout")
        source.write_text("\n".join(lines))
        subprocess.run([compiler, "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror", f"-I{include}",
                        str(source), "-o", str(program)], check=True)
        printed = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    return {name: int(value) for name, value in (line.split() for line in printed.splitlines())}


def exported_by(library, nm):
    """The symbols that begin with glia_: those of C, since C++ decorates names."""
    printed = subprocess.run([nm, "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    return {words[-1].split("@")[0] for words in map(str.split, printed.splitlines()) if words[-1].startswith("glia_")}


def padded(structs):
    """Structs with bytes that belong to no member: nobody could say that they are 0."""
    return [f"{name}: has padding, expected a member `reserved` there" for name, struct in structs.items()
            if ctypes.sizeof(struct) != sum(ctypes.sizeof(field) for _, field in struct._fields_)]


def differences(declared, exported, by_ctypes, by_compiler):
    wrong = [f"{name}: declared, and not exported" for name in sorted(declared - exported)]
    wrong += [f"{name}: exported, and not declared" for name in sorted(exported - declared)]
    for name in sorted(by_ctypes.keys() | by_compiler.keys()):
        if by_ctypes.get(name) != by_compiler.get(name):
            wrong.append(f"{name}: {by_ctypes.get(name)} by the header's text, {by_compiler.get(name)} by the compiler")
    return wrong


def check_the_check(compiler):
    """A header of its own: what is wrong with it must be seen."""
    text = """
#include <stddef.h>
#include <stdint.h>
#define GLIA_C_API
typedef int32_t glia_code;
typedef int32_t (*glia_call)(void* user);
typedef struct glia_pair { int32_t first; double second; } glia_pair;
typedef struct glia_all { size_t size; glia_call call; const void* const* list; glia_pair pairs[3]; glia_code code; } glia_all;
GLIA_C_API glia_code glia_one(const glia_all* all);
GLIA_C_API const char* glia_two(void);
"""
    header = without_comments(text)
    declared, structs = functions_of(header), structs_of(header)
    table = layout_by_ctypes(structs)
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "glia").mkdir()
        pathlib.Path(folder, "glia", "c.h").write_text(text)
        compiled = layout_by_compiler(structs, folder, compiler)
    assert declared == {"glia_one", "glia_two"} and not differences(declared, declared, table, compiled)
    assert table["glia_all.pairs"] == 24 and table["glia_all"] == 80
    assert differences(declared, {"glia_one"}, table, table) == ["glia_two: declared, and not exported"]
    assert differences({"glia_one"}, declared, table, table) == ["glia_two: exported, and not declared"]
    assert padded(structs) == [f"{name}: has padding, expected a member `reserved` there" for name in ("glia_pair", "glia_all")]
    moved = dict(table, **{"glia_pair.second": 4})
    assert len(differences(declared, declared, moved, compiled)) == 1
    for wrong in ("glia_code glia_three(void);", "GLIA_C_API glia_code glia_one(void);"):
        try:
            functions_of(header + wrong)
        except ValueError:
            continue
        raise AssertionError(wrong)


def main():
    include, library, nm, compiler = sys.argv[1:]
    check_the_check(compiler)
    header = without_comments(pathlib.Path(include, "glia", "c.h").read_text())
    declared, structs = functions_of(header), structs_of(header)
    opaque = set(re.findall(r"typedef struct (glia_\w+) \1;", header))
    assert len(declared) > 40 and len(structs) >= 9 and len(opaque) == 4, (declared, structs.keys(), opaque)
    by_ctypes, by_compiler = layout_by_ctypes(structs), layout_by_compiler(structs, include, compiler)
    for name, value in by_compiler.items():
        print(f"{name:45} {by_ctypes.get(name)} {value}")
    wrong = differences(declared, exported_by(library, nm), by_ctypes, by_compiler) + padded(structs)
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(declared)} functions, {len(structs)} structs")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
