"""The Python blocks of pages run, in order, and do what the page says."""

from __future__ import annotations

import pytest

from tests.pages import order_pages, other_pages, readme_page
from tests.pages.python_page import PythonPage

PAGES = {
    "README.md": readme_page.readme,
    "docs/coming_from/index.md": other_pages.coming_from,
    "docs/coming_from/backtesting_py.md": other_pages.theirs,
    "docs/coming_from/backtrader.md": other_pages.theirs,
    "docs/coming_from/freqtrade.md": other_pages.theirs,
    "docs/coming_from/vectorbt.md": other_pages.theirs,
    "docs/notifications.md": other_pages.notifications,
    "docs/operations/index.md": other_pages.operations,
    "docs/orders.md": order_pages.orders,
    "docs/real_orders.md": order_pages.real_orders,
}
"""Each page with Python blocks that no other tool runs, and what its blocks do."""


@pytest.mark.realtime
@pytest.mark.parametrize("name", PAGES)
def test_the_blocks_of_a_page_run(name, kit):
    page = PythonPage(name)
    PAGES[name](page, kit)
    assert page.left == []
