"""``python -m train`` is ``sitrep``, where the command is not on the PATH."""

from train.cli import main

main()
