"""`python -m kingd`: the daemon."""

from kingd.daemon.main import main

if __name__ == "__main__":
    main()
