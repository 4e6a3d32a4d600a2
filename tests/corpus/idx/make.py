#!/usr/bin/env python3
"""Writes the IDX files of this folder: small ones that are right, and small ones that lie.

A name is KIND-STATUS-WHAT.idx: the reader of KIND (images, labels) must answer STATUS (ok, format, overflow), and the
other reader must refuse the file. tests/unit/test_idx.c reads each of them, tests/fuzz/fuzz_idx.c starts from them.
"""
import gzip
import os
import struct


def images(count, height, width, data, magic=0x803):
    return struct.pack(">4I", magic, count, height, width) + data


def labels(count, data, magic=0x801):
    return struct.pack(">2I", magic, count) + data


def zipped(data):
    return gzip.compress(data, mtime=0)


two = images(2, 3, 4, bytes(range(0, 240, 10)))
five = labels(5, bytes([5, 0, 4, 1, 9]))
middle = len(zipped(two)) // 2
BIG = 0xFFFFFFFF

FILES = {
    "images-ok-two": two,
    "images-ok-two-gzipped": zipped(two),
    "images-ok-none": images(0, 28, 28, b""),
    "images-ok-no-width": images(7, 28, 0, b""),
    "images-ok-no-height-gzipped": zipped(images(BIG, 0, BIG, b"")),
    "images-ok-two-members": zipped(two[:20]) + zipped(two[20:]),
    "images-ok-black-gzipped": zipped(images(30, 28, 28, bytes(30 * 28 * 28))),
    "images-format-empty": b"",
    "images-format-one-byte": b"\0",
    "images-format-gzip-magic-only": b"\x1f\x8b",
    "images-format-empty-gzipped": zipped(b""),
    "images-format-magic-only": two[:4],
    "images-format-header-cut": two[:15],
    "images-format-header-cut-gzipped": zipped(two[:15]),
    "images-format-header-only": two[:16],
    "images-format-one-missing": two[:-1],
    "images-format-one-missing-gzipped": zipped(two[:-1]),
    "images-format-one-more": two + b"\0",
    "images-format-one-more-gzipped": zipped(two + b"\0"),
    "images-format-little-endian": struct.pack("<4I", 0x803, 2, 3, 4) + two[16:],
    "images-format-floats": images(2, 3, 4, two[16:] * 4, magic=0xD03),
    "images-format-four-dimensions": images(2, 3, 4, two[16:], magic=0x804),
    "images-format-gzip-cut": zipped(two)[:middle],
    "images-format-gzip-no-checksum": zipped(two)[:-8],
    "images-format-gzip-wrong-checksum": zipped(two)[:-8] + b"\0\0\0\0" + zipped(two)[-4:],
    "images-format-gzip-wrong-length": zipped(two)[:-4] + b"\xff\xff\xff\xff",
    "images-format-gzip-damaged": zipped(two)[:10] + b"\xff" * 8 + zipped(two)[18:],
    "images-format-two-billion": images(2, 28, 28 * 1000 * 1000, two[16:]),
    "images-format-gigabyte-gzipped": zipped(images(1000, 1000, 1000, bytes(40000))),
    "images-format-more-than-deflate": zipped(images(BIG, 65536, 1, bytes(1000))),
    "images-format-just-beyond-int32": images(1, 65536, 65536, two[16:]),
    "images-format-just-beyond-int32-product": images(65536, 65536, 1, b""),
    "images-overflow-all": images(BIG, BIG, BIG, two[16:]),
    "images-overflow-all-gzipped": zipped(images(BIG, BIG, BIG, two[16:])),
    "images-overflow-to-zero": images(1 << 31, 1 << 31, 4, b""),
    "images-overflow-to-24": images(0x80000000, 0x80000000, 0x18, two[16:]),
    "labels-ok-five": five,
    "labels-ok-five-gzipped": zipped(five),
    "labels-ok-none": labels(0, b""),
    "labels-ok-greatest": labels(1, b"\xff"),
    "labels-format-one-missing": five[:-1],
    "labels-format-one-more": five + b"\0",
    "labels-format-header-cut": five[:7],
    "labels-format-greatest-count": labels(BIG, five[8:]),
    "labels-format-greatest-count-gzipped": zipped(labels(BIG, five[8:])),
    "labels-format-signed-bytes": labels(5, five[8:], magic=0x901),
    "labels-format-text": b"5,0,4,1,9\n",
}

if __name__ == "__main__":
    folder = os.path.dirname(os.path.abspath(__file__))
    for name, data in FILES.items():
        with open(os.path.join(folder, name + ".idx"), "wb") as file:
            file.write(data)
