"""`python -m moeviz "any sentence"`: see where the trained router sends it, in the terminal."""

from moeviz.terminal import main

if __name__ == "__main__":
    raise SystemExit(main())
