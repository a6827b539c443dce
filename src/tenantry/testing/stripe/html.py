"""How the pages of the local Stripe look: plain, and plainly not the real one."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1a1f36;background:#fff}
header{font-size:.85rem;color:#5a5f7d}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
button{font:inherit;padding:.5rem 1rem;margin:.25rem .5rem .25rem 0;border:1px solid #4f46c8;border-radius:6px;
background:#fff;color:#3f37b0;cursor:pointer}button.main{background:#4f46c8;color:#fff}
table{border-collapse:collapse;width:100%;font-size:.9rem}td,th{text-align:left;padding:.3rem .5rem;
border-bottom:1px solid #e3e5ee;vertical-align:top}.wrong{color:#a5162c;font-weight:600}
form{display:inline}input,select{font:inherit;padding:.35rem .5rem;border:1px solid #8a8fa8;border-radius:6px}
label{display:block;margin:.5rem 0}:focus-visible{outline:3px solid #f0a500;outline-offset:2px}
@media(prefers-color-scheme:dark){body{background:#14151f;color:#e6e7f0}header{color:#a5a8c0}
button{background:#14151f;color:#b9b4ff;border-color:#b9b4ff}button.main{background:#6f66e8;color:#fff}
td,th{border-color:#34374a}.wrong{color:#ff9aa8}input,select{background:#1d1f2c;color:inherit}a{color:#b9b4ff}}
"""


# no `form-action`: browsers hold it against where a paid checkout leads
POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


def page(title: str, body: str, wrong: str = "") -> str:
    """A whole page."""
    alert = f'<p class="wrong" role="alert">{escape(wrong)}</p>' if wrong else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)} · local Stripe</title><style>{STYLE}</style></head><body>"
        "<header>The local Stripe: no real card, no real money</header>"
        f"<main><h1>{escape(title)}</h1>{alert}{body}</main></body></html>"
    )


def button(label: str, *, main: bool = False, extra: str = "", **fields: str) -> str:
    """A form of one button, which sends these fields to the page it stands on."""
    hidden = "".join(f'<input type="hidden" name="{escape(n)}" value="{escape(v)}">' for n, v in fields.items())
    kind = ' class="main"' if main else ""
    return f'<form method="post">{hidden}{extra}<button{kind}>{escape(label)}</button></form>'


def link(label: str, url: str) -> str:
    """A link; one that is no web address is only text."""
    if not url.startswith(("http://", "https://", "/")):
        return escape(label)
    return f'<a href="{escape(url)}">{escape(label)}</a>'


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A table; the cells are HTML already."""
    if not rows:
        return "<p>None yet.</p>"
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def money(amount: int | None, currency: str | None) -> str:
    """An amount as a reader writes it."""
    return f"{(amount or 0) / 100:,.2f} {(currency or '').upper()}"
