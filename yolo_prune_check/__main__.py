"""``python -m yolo_prune_check``: the command line where its script is not on the path."""

from yolo_prune_check.cli import main

if __name__ == "__main__":
    main()
