"""Runs the program under test and says what went wrong: the common part of the tests of the command line.

Each test script is called with the path of the program: test_NAME.py GEMMGRAD.
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest

SKIPPED = 77  # what Meson takes for "skipped"


class ProgramTest(unittest.TestCase):
    """A test with a folder of its own; `run_program` starts gemmgrad in it."""

    program = ""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="gemmgrad-test-")
        self.addCleanup(scratch.cleanup)
        self.folder = scratch.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def environment(self, changes=None):
        env = dict(os.environ, LC_ALL="C")
        for name, value in (changes or {}).items():
            if value is None:
                env.pop(name, None)
            else:
                env[name] = value
        return env

    def run_program(self, *arguments, env=None, **options):
        return subprocess.run([self.program, *map(str, arguments)], cwd=self.folder, env=self.environment(env),
                              text=True, stdout=options.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE,
                              timeout=240, check=False, **options)

    def start_program(self, *arguments):
        return subprocess.Popen([self.program, *map(str, arguments)], cwd=self.folder, env=self.environment(),
                                text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def succeeds(self, *arguments, **options):
        done = self.run_program(*arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def fails(self, code, words, *arguments, **options):
        """Ends with that code, says all of the words on stderr, leaves nothing behind."""
        before = self.files()
        done = self.run_program(*arguments, **options)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stderr}")
        for word in words:
            self.assertIn(word, done.stderr, f"{arguments}")
        self.assertLess(len(done.stderr), 1500, done.stderr)
        self.assertEqual(self.files(), before, f"{arguments} left something behind")
        return done

    def files(self):
        """Every file below the folder with its size."""
        return sorted((os.path.join(folder, name), os.path.getsize(os.path.join(folder, name)))
                      for folder, _, names in os.walk(self.folder) for name in names)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def write(self, name, data):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(data)
        return self.path(name)

    def read_json(self, name):
        return json.loads(self.read(name))


def main():
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} GEMMGRAD [tests]")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started us with it ignored
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # so may nohup with this one
    ProgramTest.program = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
