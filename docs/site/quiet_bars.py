"""Run first in each kernel of a page (PYTHONSTARTUP): no bars of progress in what cells show.

tqdm's bars for notebooks do not look at TQDM_DISABLE; the plain ones do.
"""  # noqa: INP001 - run by IPython, no package

import tqdm.auto
import tqdm.std

tqdm.auto.tqdm = tqdm.std.tqdm
del tqdm
