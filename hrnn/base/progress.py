"""A progress bar for long work."""

from hrnn.base.arguments import flag


def bar(progress, total, **options):
    """A progress bar, or its silent stand-in."""
    from tqdm.auto import tqdm

    return tqdm(total=total, disable=None if flag(progress, "progress") else True, **options)
