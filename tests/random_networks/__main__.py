"""Compare many random networks with Nengo: python -m tests.random_networks --help."""

from tests.random_networks.campaign import main

if __name__ == "__main__":
    raise SystemExit(main())
