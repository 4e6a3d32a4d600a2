#!/usr/bin/env python3
"""Writes the safetensors files of this folder: small ones that are right, and small ones that lie.

A name is STATUS-WHAT.safetensors: the reader must answer STATUS (ok, format, unsupported).
tests/unit/test_safetensors.c reads each of them, tests/fuzz/fuzz_safetensors.c starts from them.
"""
import json
import os
import struct


def file(header, data=b"", length=None):
    """A header as text, bytes or something for json.dumps, and the data behind it."""
    if not isinstance(header, (str, bytes)):
        header = json.dumps(header, separators=(",", ":"))
    if isinstance(header, str):
        header = header.encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def one(dtype="F32", shape="[2,3]", offsets="[0,24]", more=""):
    return '{"a":{"dtype":"%s","shape":%s,"data_offsets":%s%s}}' % (dtype, shape, offsets, more)


D24 = bytes(range(24))
TWO = {"a": tensor("F32", [2, 3], 0, 24), "b": tensor("U8", [5], 24, 29)}

FILES = {
    "ok-nothing": file("{}"),
    "ok-one": file(one(), D24),
    "ok-scalar": file(one(shape="[]", offsets="[0,4]"), D24[:4]),
    "ok-two": file(TWO, D24 + b"abcde"),
    "ok-two-in-reverse": file({"b": TWO["b"], "a": TWO["a"]}, D24 + b"abcde"),
    "ok-all-dtypes": file({"u": tensor("U8", [1], 0, 1), "f": tensor("F32", [1], 1, 5), "d": tensor("F64", [1], 5, 13),
                           "i": tensor("I32", [1], 13, 17), "l": tensor("I64", [1], 17, 25)}, D24 + b"z"),
    "ok-empty-tensors": file({"a": tensor("F32", [0, 7], 0, 0), "b": tensor("U8", [2], 0, 2),
                              "c": tensor("I64", [0], 2, 2), "d": tensor("F64", [3, 0], 0, 0)}, b"ab"),
    "ok-eight-dimensions": file(one(shape="[1,1,2,1,1,3,1,1]"), D24),
    "ok-metadata": file({"__metadata__": {"z": "last", "a": "first", "": "empty key"}, **TWO}, D24 + b"abcde"),
    "ok-metadata-alone": file({"__metadata__": {"format": "pt"}}),
    "ok-metadata-empty": file({"__metadata__": {}}),
    "ok-spaces-everywhere": file('{ "a" : { "dtype" : "F32" ,\n"shape":\t[ 2 , 3 ] ,\r\n"data_offsets" : [ 0 , 24 ] } }'
                                 ' \t\r\n', D24),
    "ok-escapes": file(r'{"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00":{"\u0064type":"F3\u0032","shape":[2,3],'
                       r'"data_offsets":[0,24]}}', D24),
    "ok-utf8-name": file('{"gewicht-é-€-😀":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}', D24),
    "ok-fields-in-another-order": file('{"a":{"data_offsets":[0,24],"shape":[2,3],"dtype":"F32"}}', D24),
    "format-empty": b"",
    "format-seven-bytes": b"\2\0\0\0\0\0\0",
    "format-no-header": struct.pack("<Q", 2),
    "format-header-of-0": file(""),
    "format-header-cut": file(one(), D24)[:40],
    "format-header-longer-than-file": file("{}", length=3),
    "format-header-of-100-mb-and-1": file("{}", length=100000001),
    "format-header-of-2-to-63": file("{}", length=1 << 63),
    "format-header-of-2-to-64": file("{}", length=(1 << 64) - 1),
    "format-array": file("[]"),
    "format-string": file('"a"'),
    "format-space-first": file(" {}"),
    "format-two-objects": file("{}{}"),
    "format-unclosed": file("{"),
    "format-comma-only": file("{,}"),
    "format-comma-last": file(one()[:-1] + ",}", D24),
    "format-no-colon": file('{"a"}'),
    "format-no-quote": file('{"a'),
    "format-name-empty": file(one().replace('"a"', '""'), D24),
    "format-name-number": file(one().replace('"a"', "1"), D24),
    "format-name-with-nul": file(one().replace('"a"', r'"a\u0000b"'), D24),
    "format-name-with-raw-nul": file(one().replace('"a"', '"a\0b"'), D24),
    "format-name-with-newline": file(one().replace('"a"', '"a\nb"'), D24),
    "format-name-half-surrogate": file(one().replace('"a"', r'"\ud83d"'), D24),
    "format-name-two-high-surrogates": file(one().replace('"a"', r'"\ud83d\ud83d"'), D24),
    "format-name-low-surrogate": file(one().replace('"a"', r'"\ude00"'), D24),
    "format-name-unknown-escape": file(one().replace('"a"', r'"\x41"'), D24),
    "format-name-short-escape": file(one().replace('"a"', r'"\u41"'), D24),
    "format-name-cut-escape": file(r'{"\u00'),
    "format-name-ends-in-backslash": file('{"\\'),
    "format-name-overlong-utf8": file(one().encode().replace(b'"a"', b'"\xc0\xaf"'), D24),
    "format-name-utf8-surrogate": file(one().encode().replace(b'"a"', b'"\xed\xa0\x80"'), D24),
    "format-name-utf8-beyond": file(one().encode().replace(b'"a"', b'"\xf4\x90\x80\x80"'), D24),
    "format-name-utf8-cut": file(b'{"\xe2\x82'),
    "format-name-utf8-lone": file(one().encode().replace(b'"a"', b'"\x80"'), D24),
    "format-name-twice": file('{"a":%s,"a":%s}' % ((json.dumps(tensor("U8", [1], 0, 1)),) * 2), b"a"),
    "format-name-twice-escaped": file(r'{"a":%s,"\u0061":%s}' % (json.dumps(tensor("U8", [1], 0, 1)),
                                                               json.dumps(tensor("U8", [1], 1, 2))), b"ab"),
    "format-tensor-is-null": file('{"a":null}'),
    "format-tensor-is-empty": file('{"a":{}}'),
    "format-tensor-unclosed": file(one()[:-2], D24),
    "format-no-dtype": file('{"a":{"shape":[2,3],"data_offsets":[0,24]}}', D24),
    "format-no-shape": file('{"a":{"dtype":"F32","data_offsets":[0,24]}}', D24),
    "format-no-offsets": file('{"a":{"dtype":"F32","shape":[2,3]}}', D24),
    "format-dtype-twice": file(one(more=',"dtype":"F32"'), D24),
    "format-shape-twice": file(one(more=',"shape":[2,3]'), D24),
    "format-offsets-twice": file(one(more=',"data_offsets":[0,24]'), D24),
    "format-key-unknown": file(one(more=',"stride":1'), D24),
    "format-dtype-number": file('{"a":{"dtype":32,"shape":[2,3],"data_offsets":[0,24]}}', D24),
    "format-shape-string": file(one(shape='"2,3"'), D24),
    "format-shape-nested": file(one(shape="[[2,3]]"), D24),
    "format-shape-unclosed": file(one(shape="[2,3"), D24),
    "format-shape-comma-last": file(one(shape="[2,3,]"), D24),
    "format-shape-negative": file(one(shape="[-2,-3]"), D24),
    "format-shape-minus-0": file(one(shape="[-0]", offsets="[0,0]")),
    "format-shape-float": file(one(shape="[2.0,3]"), D24),
    "format-shape-exponent": file(one(shape="[2e0,3]"), D24),
    "format-shape-leading-zero": file(one(shape="[02,3]"), D24),
    "format-shape-zeros": file(one(shape="[00]", offsets="[0,0]")),
    "format-shape-2-to-63": file(one(shape="[9223372036854775808]"), D24),
    "format-shape-2-to-64-and-6": file(one(shape="[18446744073709551622]"), D24),
    "format-shape-product-overflows": file(one(shape="[4294967296,4294967296,6]"), D24),
    "format-shape-product-overflows-to-24": file(one(shape="[4611686018427387910]"), D24),
    "format-shape-too-large": file(one(shape="[2,4]"), D24),
    "format-shape-too-small": file(one(shape="[2,2]"), D24),
    "format-offsets-of-another-dtype": file(one(dtype="F64"), D24),
    "format-offsets-one": file(one(offsets="[24]"), D24),
    "format-offsets-three": file(one(offsets="[0,24,24]"), D24),
    "format-offsets-none": file(one(offsets="[]"), D24),
    "format-offsets-negative": file(one(offsets="[-24,0]"), D24),
    "format-offsets-reversed": file(one(offsets="[24,0]"), D24),
    "format-offsets-float": file(one(offsets="[0,24.0]"), D24),
    "format-offsets-2-to-63": file(one(offsets="[0,9223372036854775808]"), D24),
    "format-offsets-largest": file(one("U8", "[9223372036854775807]", "[0,9223372036854775807]"), D24),
    "format-offsets-not-from-0": file(one(offsets="[4,28]"), D24 + b"abcd"),
    "format-hole": file({"a": tensor("U8", [2], 0, 2), "b": tensor("U8", [2], 3, 5)}, b"abcde"),
    "format-overlap": file({"a": tensor("U8", [2], 0, 2), "b": tensor("U8", [2], 1, 3)}, b"abc"),
    "format-same-data-twice": file({"a": tensor("U8", [2], 0, 2), "b": tensor("U8", [2], 0, 2)}, b"ab"),
    "format-data-missing": file(one()),
    "format-data-one-missing": file(one(), D24[:-1]),
    "format-data-one-more": file(one(), D24 + b"x"),
    "format-data-without-tensors": file("{}", b"x"),
    "format-metadata-list": file('{"__metadata__":[]}'),
    "format-metadata-number": file('{"__metadata__":{"a":1}}'),
    "format-metadata-null": file('{"__metadata__":null}'),
    "format-metadata-unclosed": file('{"__metadata__":{"a":"b"'),
    "format-metadata-no-value": file('{"__metadata__":{"a"}}'),
    "format-metadata-key-twice": file('{"__metadata__":{"a":"1","a":"2"}}'),
    "format-metadata-twice": file('{"__metadata__":{},"__metadata__":{}}'),
    "format-metadata-with-nul": file(r'{"__metadata__":{"a":"\u0000"}}'),
    "format-metadata-tensor": file({"__metadata__": tensor("U8", [1], 0, 1)}, b"a"),
    "unsupported-bf16": file(one(dtype="BF16", shape="[3,4]"), D24),
    "unsupported-f16": file(one(dtype="F16", shape="[3,4]"), D24),
    "unsupported-bool": file(one(dtype="BOOL", shape="[24]"), D24),
    "unsupported-dtype-lower-case": file(one(dtype="f32"), D24),
    "unsupported-dtype-empty": file(one(dtype=""), D24),
    "unsupported-nine-dimensions": file(one(shape="[1,1,2,1,1,3,1,1,1]"), D24),
}

for name, content in FILES.items():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".safetensors"), "wb") as out:
        out.write(content)
