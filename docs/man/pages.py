#!/usr/bin/env python3
"""Man pages from what is there: the public headers, and what the program says of itself.

pages.py library VERSION OUTPUT DEPFILE FOLDER...   OUTPUT/*.3: a page for each header in the folders, a link to it for
                                                    each function; one for each adapter in compat/; what was read,
                                                    as make has it, goes to DEPFILE
pages.py program VERSION PAGE PROGRAM               gemmgrad.1 from `gemmgrad help` and the help of each verb
"""
import pathlib
import re
import shutil
import subprocess
import sys

UMBRELLAS = {"blas_backend": "gemmgrad-blas", "layers": "gemmgrad"}  # header: the pkg-config package it stands for


def roff(line):
    """One line as text that roff prints as it is."""
    text = line.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def quoted(text):
    return '"' + roff(text).replace('"', "\\(dq") + '"'


def literal(lines):
    return [".nf", ".ft CW", *map(roff, lines), ".ft", ".fi"]


def prose(comment):
    """A comment's lines: paragraphs are filled, indented lines and lists keep their form."""
    out = []
    for paragraph in re.split(r"\n\s*\n", comment.strip("\n")):
        lines = paragraph.split("\n")
        if any(line.startswith(" ") for line in lines):
            out += [".PP", ".nf", *map(roff, lines), ".fi"]
        else:
            out += [".PP", *map(roff, lines)]
    return out


def comment_text(comment):
    body = re.sub(r"^/\*\s?|\s*\*/$", "", comment.strip())
    return re.sub(r"(?m)^\s*\*( |$)", "", body)


def head(name, section, version, names, what):
    return [f'.TH {name.upper()} {section} "" "gemmgrad {version}"', ".nh", ".ad l", ".SH NAME",
            roff(", ".join(names)) + " \\- " + roff(what)]


def parse(text):
    """What the file is for, the rest of its first comment, and its blocks (comment, declarations)."""
    first, body = re.match(r"(/\*.*?\*/)\n(.*)", text, re.S).groups()
    words = comment_text(first)
    what, rest = re.match(r"gemmgrad/\S+ - (.*?[.:])(?:\s+|$)(.*)", words, re.S).groups()
    body = re.sub(r"^#ifndef GEMMGRAD_\w+\n#define .*\n|\n#endif\s*$", "", body)
    body = re.sub(r'(?ms)^#ifdef __cplusplus\n.*?^#endif\n|^#include <.*?>\n', "", body)
    blocks = []
    for block in re.split(r"\n\n+", body.strip()):
        match = re.match(r"(/\*.*?\*/)\n?(.*)", block, re.S)
        comment, code = match.groups() if match and not block.startswith("/* ----") else ("", block)
        blocks.append((comment_text(comment) if comment else "", code.strip("\n")))
    return " ".join(what.rstrip(".:").split()), rest, blocks


def functions(code):
    return re.findall(r"(?m)^GG_API[^;(]*?\b(gg_\w+)\(", code)


def header_page(header, package, version):
    """(the functions, the page's lines)"""
    what, rest, blocks = parse(header.read_text(encoding="utf-8"))
    names = [name for _, code in blocks for name in functions(code)]
    lines = head("gemmgrad_" + header.stem, 3, version, names or ["gemmgrad/" + header.name], what)
    lines += [".SH SYNOPSIS", ".nf", f".B #include <gemmgrad/{header.name}>", "",
              roff(f"cc ... $(pkg-config --cflags --libs {package})"), ".fi", ".SH DESCRIPTION"]
    lines += prose(rest) if rest.strip() else []
    for comment, code in blocks:
        title = re.match(r"/\* -+ (.*?) -+ \*/\n?(.*)", code, re.S)
        if title:
            lines += [".SS " + quoted(title[1][0].upper() + title[1][1:])]
            code = title.group(2)
        lines += prose(comment) if comment else []
        if code:
            shown = re.sub(r"(?ms)^GG_API (.*?;)", lambda found: found[1].replace("\n       ", "\n"), code)
            lines += [".PP", ".RS 4", *literal(shown.split("\n")), ".RE"]
    lines += [".SH SEE ALSO", f".BR {roff(package)} (3)"]
    return names, lines


def adapter_functions(text):
    """(title or "", comment, declaration) of what an adapter stands in for: its helpers begin with gg_. What is there
    in C++ and in C is shown in C, where alone it is static."""
    found = re.finditer(r"(?ms)^/\* -+ (?P<title>[^\n]*?) -+ \*/\n|(?P<comment>^/\*(?:(?!\*/).)*\*/\n)?"
                        r"^static inline (?P<code>void (?!gg_)\w+\([^{;]*?\))\n\{", text)
    title = ""
    for match in found:
        if match["title"]:
            title = match["title"]
        else:
            yield title, comment_text(match["comment"] or ""), re.sub(r"\n\s*", "\n    ", match["code"]) + ";"
            title = ""


def adapter_page(header, package, version):
    """(the functions, the page's lines)"""
    text = header.read_text(encoding="utf-8")
    first = re.match(r"/\*.*?\*/", text, re.S).group()
    what, rest = re.match(r"gemmgrad/\S+ - (.*?[.:])(?:\s+|$)(.*)", comment_text(first), re.S).groups()
    blocks = list(adapter_functions(text))
    names = [re.search(r"\w+(?=\()", code).group() for _, _, code in blocks]
    lines = head(adapter_name(header), 3, version, [adapter_name(header), *names],
                 " ".join(what.rstrip(".:").split()))
    lines += [".SH SYNOPSIS", ".nf", f".B #include <gemmgrad/compat/{header.name}>", "",
              roff(f"cc ... $(pkg-config --cflags --libs {package})"), ".fi", ".SH DESCRIPTION", *prose(rest)]
    for title, comment, code in blocks:
        lines += [".SS " + quoted(title[0].upper() + title[1:])] if title else []
        lines += prose(comment) if comment else []
        lines += [".PP", ".RS 4", *literal(code.split("\n")), ".RE"]
    others = [f"{roff(adapter_name(other))} (3)" for other in sorted(header.parent.glob("*.h")) if other != header]
    return names, lines + [".SH SEE ALSO"] + [f".BR {other}," for other in others] + [f".BR {roff(package)} (3)"]


def adapter_name(header):
    return "gemmgrad-compat-" + header.stem


def umbrella_page(name, header, members, version):
    what, _, _ = parse(header.read_text(encoding="utf-8"))
    lines = head(name, 3, version, [name], what)
    lines += [".SH SYNOPSIS", ".nf", f".B #include <gemmgrad/{header.name}>", "",
              roff(f"cc ... $(pkg-config --cflags --libs {name})"), ".fi", ".SH DESCRIPTION"]
    lines += [roff("Each header has a page of its own, which the name of each of its functions leads to as well.")]
    for member, (title, names) in sorted(members.items()):
        lines += [".TP", f".BR {roff(member)} (3)", roff(title[0].upper() + title[1:] + ".")]
        lines += [roff(", ".join(names) + ".")] if names else []
    others = ["gemmgrad (1)"] + [f"{roff(other)} (3)" for other in sorted(UMBRELLAS.values()) if other != name]
    return lines + [".SH SEE ALSO"] + [".BR " + other + ("," if other != others[-1] else "") for other in others]


def write(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def library(version, output, depfile, folders):
    output, read = pathlib.Path(output), []
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    for folder in map(pathlib.Path, folders):
        headers = sorted(folder.glob("*.h"))
        read += [folder, *headers]
        top = next(header for header in headers if header.stem in UMBRELLAS)
        package, members = UMBRELLAS[top.stem], {}
        for header in headers:
            if header in (top, top.with_name("export.h")):
                continue
            names, lines = header_page(header, package, version)
            members["gemmgrad_" + header.stem] = (parse(header.read_text(encoding="utf-8"))[0], names)
            write(output / f"gemmgrad_{header.stem}.3", lines)
            for name in names:
                write(output / f"{name}.3", [f".so man3/gemmgrad_{header.stem}.3"])
        adapters = sorted((folder / "compat").glob("*.h"))
        read += [folder / "compat", *adapters] if adapters else []
        for header in adapters:
            names, lines = adapter_page(header, package, version)
            members[adapter_name(header)] = (parse(header.read_text(encoding="utf-8"))[0], names)
            write(output / f"{adapter_name(header)}.3", lines)
        write(output / f"{package}.3", umbrella_page(package, top, members, version))
    write(pathlib.Path(depfile), [f"{output}: " + " ".join(str(path).replace(" ", "\\ ") for path in read)])


def program(version, page, command):
    def says(*arguments):
        return subprocess.run([command, *arguments], check=True, capture_output=True, text=True).stdout.strip("\n")

    overview = says("help")
    what = re.match(r"gemmgrad \S+ - (.*)", overview).group(1)
    verbs = re.findall(r"(?m)^  (\w+)  +(.+)$", overview)
    lines = head("gemmgrad", 1, version, ["gemmgrad"], what)
    lines += [".SH SYNOPSIS", ".B gemmgrad", ".I VERB", "[options]", ".SH DESCRIPTION"]
    lines += [roff(line) for line in overview.split("\n\n")[-1].split("\n")]
    for verb, title in verbs:
        lines += [".TP", f".B {verb}", roff(title)]
    for verb, _ in verbs:
        if verb not in ("help", "version"):
            lines += [f'.SH "GEMMGRAD {verb.upper()}"', *literal(says("help", verb).split("\n"))]
    lines += [".SH ENVIRONMENT", ".TP", ".B OMP_NUM_THREADS", "Threads to use; the CPUs of the process otherwise.",
              ".TP", ".B GEMMGRAD_ISA", roff("baseline or avx2: vector kernels of that set, where the CPU has more."),
              ".TP", ".B GEMMGRAD_KEEP_BLAS_KERNEL", "1: leave the kernel of the BLAS as it chose it.",
              ".SH SEE ALSO", ".BR gemmgrad (3),", ".BR gemmgrad\\-blas (3)"]
    write(pathlib.Path(page), lines)


if __name__ == "__main__":
    if len(sys.argv) > 5 and sys.argv[1] == "library":
        library(*sys.argv[2:5], sys.argv[5:])
    elif len(sys.argv) == 5 and sys.argv[1] == "program":
        program(*sys.argv[2:])
    else:
        sys.exit(__doc__)
