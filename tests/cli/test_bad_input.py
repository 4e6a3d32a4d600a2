#!/usr/bin/env python3
"""Files that are damaged or lie, checkpoints of another model, places that cannot be written: exit code 1, the file and
the reason on stderr, nothing left behind."""
import gzip
import os
import resource
import shutil
import signal
import struct
import subprocess
import unittest

from program import ProgramTest, main


def images(count, data=None, side=28, magic=0x803):
    return struct.pack(">4I", magic, count, side, side) + (bytes(count * side * side) if data is None else data)


def labels(values, count=None, magic=0x801):
    return struct.pack(">2I", magic, len(values) if count is None else count) + bytes(values)


class DamagedData(ProgramTest):
    """A small MNIST, whole at first; each test damages one file."""

    def make(self, folder="mnist", **changed):
        files = {"train-images-idx3-ubyte": images(40), "train-labels-idx1-ubyte": labels([i % 10 for i in range(40)]),
                 "t10k-images-idx3-ubyte": images(20), "t10k-labels-idx1-ubyte": labels([i % 10 for i in range(20)])}
        names = {name.replace("-", "_"): name for name in files}
        for name, data in changed.items():
            files[names[name]] = data
        for name, data in files.items():
            if data is not None:
                self.write(f"{folder}/{name}", data)
        return folder

    def refuses(self, words, **changed):
        self.make(**changed)
        self.fails(1, words, "train", "mnist-mlp", "--data", "mnist", "--batch", 10, "--save", "s", "--json", "j.json")

    def test_whole_data_train(self):
        folder = self.make()
        for path in (folder, folder + "/", f"{folder}/train-images-idx3-ubyte"):
            self.succeeds("train", "mnist-mlp", "--data", path, "--batch", 10, "--epochs", 1)
        for name in os.listdir(self.path(folder)):
            with open(self.path(f"{folder}/{name}"), "rb") as file:
                self.write(f"zipped/{name}.gz", gzip.compress(file.read()))
        for path in ("zipped", "zipped/train-images-idx3-ubyte.gz"):
            self.succeeds("train", "mnist-mlp", "--data", path, "--batch", 10, "--epochs", 1)

    def test_truncated_images(self):
        self.refuses(["train-images-idx3-ubyte"], train_images_idx3_ubyte=images(40)[:-1])

    def test_bytes_left_over(self):
        self.refuses(["train-images-idx3-ubyte"], train_images_idx3_ubyte=images(40) + b"\0")

    def test_lying_header(self):
        self.refuses(["train-images-idx3-ubyte"], train_images_idx3_ubyte=images(0xFFFFFFFF, b"", 0xFFFFFFFF))
        self.refuses(["train-images-idx3-ubyte"], train_images_idx3_ubyte=images(0x7FFFFFFF, bytes(1000)))

    def test_another_kind_of_file(self):
        self.refuses(["train-images-idx3-ubyte"], train_images_idx3_ubyte=b"hello, world")
        self.refuses(["train-images-idx3-ubyte"], train_images_idx3_ubyte=b"")
        self.refuses(["train-labels-idx1-ubyte"], train_labels_idx1_ubyte=images(40))

    def test_damaged_gzip(self):
        zipped = gzip.compress(images(40))
        self.refuses(["train-images-idx3-ubyte"], train_images_idx3_ubyte=zipped[:len(zipped) // 2])

    def test_labels_that_do_not_fit(self):
        self.refuses(["39 labels"], train_labels_idx1_ubyte=labels([0] * 39))
        self.refuses(["label"], train_labels_idx1_ubyte=labels([0] * 39 + [10]))

    def test_missing(self):
        self.refuses(["t10k-labels-idx1-ubyte"], t10k_labels_idx1_ubyte=None)
        self.fails(1, ["nowhere"], "train", "mnist-mlp", "--data", "nowhere")

    def test_a_file_under_another_name(self):
        self.write("pictures", images(40))
        self.fails(1, ["pictures", "train-images-idx3-ubyte"], "train", "mnist-mlp", "--data", "pictures")
        self.write("torn", images(40)[:-5])
        self.fails(1, ["torn"], "train", "mnist-mlp", "--data", "torn")

    def test_batch_beyond_the_data(self):
        self.make()
        self.fails(1, ["--batch 41", "40 samples"], "train", "mnist-mlp", "--data", "mnist", "--batch", 41)


class Checkpoints(ProgramTest):
    def refuses(self, words, *arguments):
        self.fails(1, words, "train", *arguments, "--save", "s", "--json", "j.json")

    def test_of_another_task_batch_or_nothing(self):
        self.succeeds("train", "spiral", "--epochs", 1, "--save", "spiral.st")
        self.refuses(["spiral.st"], "digits", "--resume", "spiral.st")
        self.refuses(["spiral.st", "batch"], "spiral", "--resume", "spiral.st", "--batch", 20)
        self.refuses(["missing.st"], "spiral", "--resume", "missing.st")

    def test_damaged(self):
        self.succeeds("train", "spiral", "--epochs", 1, "--save", "whole.st")
        whole = self.read("whole.st")
        for name, data in {"cut.st": whole[:-7], "empty.st": b"", "text.st": b"no checkpoint at all",
                           "long.st": whole + b"\0", "huge.st": b"\xff" * 8 + whole[8:]}.items():
            self.write(name, data)
            self.refuses([name], "spiral", "--resume", name)
        self.write("folder/file", b"")
        self.refuses(["folder"], "spiral", "--resume", "folder")


class Places(ProgramTest):
    """Results that cannot be written are refused before any training."""

    def refuses(self, words, option, path, **options):
        done = self.fails(1, [f"--{option}", *words], "train", "spiral", "--epochs", 2, f"--{option}", path, **options)
        self.assertNotIn("epoch", done.stderr)

    def test_no_such_folder(self):
        for option in ("json", "save", "plot"):
            self.refuses(["nowhere/file.png", "No such file"], option, "nowhere/file.png")

    def test_no_file(self):
        os.mkdir(self.path("folder.png"))
        for option in ("json", "save", "plot"):
            self.refuses(["folder.png"], option, "folder.png")
            self.refuses(["too long"], option, "x" * 5000 + ".png")
        for option in ("json", "save"):
            self.refuses(["new/"], option, "new/")
            self.refuses(["empty"], option, "")

    def test_devices_are_not_replaced(self):
        self.refuses(["/dev/null", "regular"], "save", "/dev/null")
        os.symlink("/dev/null", self.path("null.png"))
        self.refuses(["null.png", "regular"], "plot", "null.png")
        self.succeeds("train", "spiral", "--epochs", 1, "--json", "/dev/null")
        self.assertFalse(os.path.isfile("/dev/null"))

    def test_unwritable_folder(self):
        os.mkdir(self.path("locked"), 0o555)
        if os.access(self.path("locked"), os.W_OK):  # root writes anywhere, but not here
            self.refuses(["/proc/file"], "json", "/proc/file")
            self.refuses(["/proc/file"], "save", "/proc/file")
        else:
            for option in ("json", "save", "plot"):
                self.refuses(["locked/file.png", "denied"], option, "locked/file.png")

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full here")
    def test_full_device(self):
        self.fails(1, ["/dev/full", "No space left"], "train", "spiral", "--epochs", 2, "--json", "/dev/full")


class FullDisk(ProgramTest):
    """The disk fills up while results are written: the old file stays, the new one leaves no trace."""

    def test_full_from_the_start(self):
        folder = self.small_disk(16)
        with open(os.path.join(folder, "filler"), "wb") as filler:
            filler.write(bytes(16 << 10))
        for option in ("save", "json", "plot"):
            self.fails(1, [f"--{option}", "No space left"], "train", "spiral", "--epochs", 2, f"--{option}",
                       os.path.join(folder, "file.png"))

    def test_full_at_the_end(self):
        folder = self.small_disk(256)
        target = os.path.join(folder, "digits.st")
        with open(target, "wb") as old:
            old.write(b"old")
        self.fails(1, ["digits.st", "No space left"], "train", "digits", "--epochs", 1, "--save", target)
        with open(target, "rb") as old:
            self.assertEqual(old.read(), b"old")

    def small_disk(self, kilobytes):
        folder = self.path("disk")
        os.mkdir(folder)
        if shutil.which("mount") is None:
            self.skipTest("no mount here")
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder]
        mounted = subprocess.run(command, capture_output=True, check=False)
        if mounted.returncode != 0:
            self.skipTest("may not mount a small disk")
        self.addCleanup(subprocess.run, ["umount", "-l", folder], check=False)
        return folder

    def test_file_size_limit(self):
        """Needs no privilege: files of this process and its children may not grow beyond 1 MB."""
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        self.fails(1, ["digits.st", "too large"], "train", "digits", "--epochs", 1, "--save", "digits.st",
                   preexec_fn=limit)


if __name__ == "__main__":
    main()
