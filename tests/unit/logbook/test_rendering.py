"""Entries as HTML: what people write is shown, and nothing in it does anything."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from html import escape
from html.parser import HTMLParser

import pytest

from hutch.catalogs.summary import local_time
from hutch.logbook import Attachment, Format, render
from hutch.logbook.entries import Content

PICTURE = Attachment(1, "plot 1.png", "d" * 64, "image/png", 3)
DRAWING = Attachment(2, "evil.svg", "e" * 64, "text/plain", 3)

ALLOWED = {
    "a": {"href", "title", "rel"},
    "img": {"src", "alt", "title"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "figure": {"class"},
    "pre": {"class"},
    "time": {"datetime"},
}
HARMLESS = set(
    "a abbr b blockquote br caption code dd del div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img "
    "ins kbd li ol p pre q s samp small span strong sub sup table tbody td tfoot th thead time tr u ul "
    "var".split()
)


class Judge(HTMLParser):
    """Looks at every tag and attribute of HTML, as a list of what is harmless says."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in HARMLESS:
            self.wrong.append(tag)
        for name, value in attrs:
            if name not in ALLOWED.get(tag, set()):
                self.wrong.append(f"{tag} {name}")
            if name == "href" and not (value or "").lower().startswith(("http://", "https://", "mailto:")):
                self.wrong.append(f"href={value}")
            if name == "src" and value not in ("/att/1",):
                self.wrong.append(f"src={value}")

    def handle_comment(self, data):
        self.wrong.append("comment")

    def handle_decl(self, decl):
        self.wrong.append("declaration")

    def handle_pi(self, data):
        self.wrong.append("instruction")


def shown(text, format="markdown"):
    content = Content(
        title="",
        text=text,
        format=Format(format),
        tags=(),
        run_num=None,
        shift=None,
        attachments=(PICTURE, DRAWING),
    )
    return render(content, attachment_url=lambda file: f"/att/{file.id}")


HOSTILE = [
    "<script>alert(1)</script>",
    "<ScRiPt/x src=//e.vil/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "<img src='attachment:plot 1.png' onload=alert(1) style='x:expression(1)' srcset='//e.vil/x 2x'>",
    "<svg onload=alert(1)><script>alert(1)</script><a xlink:href='javascript:alert(1)'>x</a></svg>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<math href='javascript:alert(1)'>x</math>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<iframe src='javascript:alert(1)'></iframe><embed src=x><object data=x></object>",
    "<base href='//e.vil/'><meta http-equiv=refresh content='0;url=//e.vil'><link rel=x href=//e.vil>",
    "<a href='javascript:alert(1)'>x</a><a href=' &#x6A;avascript:alert(1)'>y</a>",
    "<a href='java\tscript:alert(1)'>x</a><a href='jav&#x0A;ascript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a><a href='vbscript:x'>y</a>",
    "<a href='//e.vil'>x</a><a href='/logout'>y</a><a href='#x'>z</a><a href='http:e.vil'>w</a>",
    "<details open ontoggle=alert(1)><summary>x</summary></details><video><source onerror=alert(1)></video>",
    "<style>@import '//e.vil/x.css';</style><div style='background:url(//e.vil)'>x</div>",
    "<textarea><img src=x onerror=alert(1)></textarea><title><img src=x onerror=alert(1)></title>",
    "<input autofocus onfocus=alert(1)><button formaction=javascript:alert(1)>x</button>",
    "<!--><img src=x onerror=alert(1)>--><!DOCTYPE x><?php x ?><![CDATA[<img src=x onerror=alert(1)>]]>",
    "<p id=cookie name=body class=x>x</p><template><script>alert(1)</script></template>",
    "<img src='http://e.vil/track.png'><img src='//e.vil/x.png'><img src='data:image/png;base64,AAAA'>",
    "<img src='attachment:evil.svg'><img src='attachment:../../etc/passwd'><img src='evil.svg'>",
    "<xmp><p title='</xmp><img src=x onerror=alert(1)>'></xmp><plaintext><script>x</script>",
    "[x](javascript:alert(1)) [y](JaVaScRiPt:alert(1)) [z](data:text/html,x) [w](  javascript:alert(1))",
    "[x](javascript&colon;alert(1)) [y](&#106;avascript:alert(1)) [z](java\\script:x) <javascript:alert(1)>",
    "[x]: javascript:alert(1)\n\n[x] ![x]",
    "![x](http://e.vil/x.png) ![y](//e.vil/x.png) ![z](javascript:alert(1)) ![w](data:image/svg+xml,x)",
    "![x](attachment:evil.svg) ![y](x\"onerror=alert(1)) ![z](<plot 1.png\" onerror=\"alert(1)>)",
    "[x](https://a.b/\"onmouseover=alert(1)) [y](https://a.b 'x\" onmouseover=alert(1)')",
    "```\"><script>alert(1)</script>\nx\n```\n`<script>alert(1)</script>`",
    "| a |\n|---|\n| <img src=x onerror=alert(1)> |\n",
    '```hutch-table\n--- <script>x</script>\n{"columns": ["<script>"], "rows": [["<img onerror=x>"]]}\n```',
    "```hutch-table\n--- x\n{\"columns\": {}, \"rows\": 7}\n```\n```hutch-plot\n--- \"><script>\n2\n```",
    "```hutch-plot\nrun: <script>\n--- x\n99999999999999999999\n```",
]  # fmt: skip


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_hostile_is_left(text, format):
    judge = Judge()
    judge.feed(shown(text, format))
    judge.close()

    assert judge.wrong == []


def test_what_people_write_is_shown():
    found = shown(
        "# Beam\n\n- *lost* **again**\n- ~~never~~\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n[w](https://a.b/x?y=1&z=2)"
    )

    for part in ("<h1>Beam</h1>", "<em>lost</em> <strong>again</strong>", "<s>never</s>", "<td>1</td>"):
        assert part in found
    assert '<a href="https://a.b/x?y=1&amp;z=2" rel="noopener noreferrer nofollow">w</a>' in found
    assert shown("a < b & c\n<b>", "text") == '<pre class="hutch-text">a &lt; b &amp; c\n&lt;b&gt;</pre>\n'
    assert shown("<p>a <b>b</b></p>", "html") == "<p>a <b>b</b></p>"


@pytest.mark.parametrize(
    "source", ["attachment:plot%201.png", "attachment:1", "plot%201.png", "./plot%201.png"]
)
def test_images_that_are_attached_are_shown(source):
    assert shown(f"![p]({source})").strip() == '<p><img src="/att/1" alt="p"></p>'


def test_frozen_blocks_are_shown_with_a_link_to_how_they_are_now():
    text = (
        "```hutch-table\nruns: 1-2\n--- 2026-11-26T20:00:00Z\n"
        '{"columns": ["run", "gain"], "rows": [[1, 2.5], [2, null]], "total": 2}\n```\n'
    )
    content = Content(
        title="", text=text, format=Format.MARKDOWN, tags=(), run_num=None, shift=None, attachments=()
    )
    found = render(content, now_url=lambda kind, settings: f"/{kind}?runs={settings['runs']}&x")

    assert "<tr><th>run</th><th>gain</th></tr>" in found
    assert "<tr><td>2</td><td></td></tr>" in found
    shown = local_time(datetime(2026, 11, 26, 20, tzinfo=UTC).timestamp())
    time = f'<time datetime="2026-11-26T20:00:00Z">{shown}</time>'
    assert f'as it was at {time} · <a href="/table?runs=1-2&amp;x">' in found


TABLE = "|a" * 100 + "|\n" + "|-" * 100 + "|\n"


@pytest.mark.parametrize(
    ("text", "format"),
    [
        ("[a]: http://" + "x" * 10_000 + "\n\n" + "[a] " * 2_000, "markdown"),
        ("[" * 200_000, "markdown"),
        ("![" * 20_000, "markdown"),
        ("a\n" * 5_000, "markdown"),
        (TABLE + "|\n" * 3_000, "markdown"),
        (">" * 5_000 + "deep", "markdown"),
        ("- " * 100 + "deep", "markdown"),
        ("<div>" * 40_000, "html"),
    ],
)
def test_what_would_take_long_or_become_much_is_shown_as_it_is_written(text, format):
    found = shown(text, format)

    assert found == f'<pre class="hutch-text">{escape(text)}</pre>\n'
    assert len(found) < 1_000_000


@pytest.mark.parametrize(
    "text",
    ["*a " * 3_000 + "a* " * 3_000, "[a]: http://x.y\n\n" + "[a] " * 4_000, "&" * 20_000, "~~a~ " * 4_000],
)
def test_what_is_rendered_is_not_much_more_than_what_is_written(text):
    assert len(shown(text)) < 1_000_000


def test_a_long_entry_looks_as_it_should():
    rows = [[number, f"sample {number}", 0.5] for number in range(50)]
    block = (
        "```hutch-table\nruns: 1-50\n--- 2026-11-26T20:00:00Z\n"
        + json.dumps({"columns": ["run", "sample", "gain"] * 20, "rows": [row * 20 for row in rows]})
        + "\n```"
    )
    part = "# Beam\n\n- *lost*\n  - again\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n```python\nx = 1\n```\n"
    found = shown(f"{part * 100}\n{block}\n\n{part * 100}")

    assert found.count("<h1>Beam</h1>") == found.count("<code>x = 1\n</code>") == 200
    assert found.count("<tr>") == 200 * 2 + 51 and "as it was at" in found


def test_a_block_within_code_is_shown_as_it_is_written():
    block = '```hutch-table\n--- x\n{"columns": ["<b>"], "rows": [["a"]]}\n```'
    found = shown(f"- ~~~\n\n  {block}")

    assert "&lt;b&gt;" in found and "<figure" not in found and "block" not in found
