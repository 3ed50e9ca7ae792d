"""The page for browsers."""

from __future__ import annotations

from pathlib import Path

HTML = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
HEADERS = {
    # Styles and scripts of the page itself, and nothing of another address
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
