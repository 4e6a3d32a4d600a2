#!/usr/bin/env python3
"""gemmgrad demo --quick: both networks learn, the table shows both."""
from program import ProgramTest, main


class Demo(ProgramTest):
    def test_quick(self):
        text = self.succeeds("demo", "--quick").stdout
        for word in ("spiral", "digits", "samples per second", "GFLOP/s", "FMA peak", "100.00 %", "accuracy"):
            self.assertIn(word, text)
        self.assertEqual(self.files(), [])


if __name__ == "__main__":
    main()
