"""What goes wrong with a backup."""


class BackupError(Exception):
    """A backup that cannot be made or restored; its words are for the person who asked."""
