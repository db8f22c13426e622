"""`gateline`, `python -m gateline`: hands over to the commands."""

from __future__ import annotations


def main() -> None:
    from gateline.cli.main import app

    app()


if __name__ == "__main__":
    main()
