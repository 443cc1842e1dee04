"""What axe-core finds on a page: ours is to be mended, Streamlit's own stands in a list that may only shrink."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

STREAMLITS: dict[str, tuple[str, ...]] = {  # rule -> selectors of the elements that Streamlit itself writes so
    "aria-allowed-attr": ("[data-testid=stSidebar]",),
    "color-contrast": ("[data-testid=stMultiSelect] input",),  # empty, and said to lie on the first choice beside it
}
_GRAVE = ("serious", "critical")
_ALSO = ("heading-order",)  # rules that axe-core calls moderate, and that we keep
_OPTIONS: dict[str, Any] = {"resultTypes": ["violations"], "iframes": False}
_AXE = Axe()


def findings(page: Page) -> list[str]:
    """List what axe-core finds serious or critical that is not Streamlit's own, as 'rule: element: what to mend'."""
    found = _AXE.run(page, options=_OPTIONS).response["violations"]
    kept = [rule for rule in found if rule["impact"] in _GRAVE or rule["id"] in _ALSO]
    return [
        f"{rule['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for rule in kept
        for node in rule["nodes"]
        if not _streamlits(page, rule["id"], node["target"][-1])
    ]


def _streamlits(page: Page, rule: str, target: str) -> bool:
    """Tell whether an element is one of those that the list names for a rule."""
    own = ", ".join(STREAMLITS.get(rule, ()))
    return bool(own and page.locator(target).first.evaluate("(element, own) => element.matches(own)", own))
