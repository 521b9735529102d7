"""Try many sequences of calls: python -m tests.call_sequences --help."""

from tests.call_sequences.campaign import main

if __name__ == "__main__":
    raise SystemExit(main())
