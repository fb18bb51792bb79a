"""Text that would be executed if it were taken for markup: it sets ``window.executed``, or opens a dialog."""

from __future__ import annotations

__all__ = ["HOSTILE"]

_RUN = "window.executed=1"

HOSTILE = (
    f"<script>{_RUN}</script>",
    f"<ScRiPt >{_RUN}</sCrIpT >",
    f"</script><script>{_RUN}</script>",
    f"<img src=x onerror={_RUN}>",
    f"<img src=x onerror='{_RUN}'//",
    f'"><img src=x onerror={_RUN}>',
    f"'><svg onload={_RUN}>",
    f"<svg><script>{_RUN}</script></svg>",
    f"<svg><animate onbegin={_RUN} attributeName=x dur=1s>",
    f"<svg><a xlink:href='javascript:{_RUN}'><text x=20 y=20>x</text></a></svg>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={_RUN}></style></mglyph></table></mtext></math>",
    f"<math><a xlink:href='javascript:{_RUN}'>x</a></math>",
    f"<form><math><mtext></form><form><mglyph><style></math><img src onerror={_RUN}>",
    f"<noscript><p title='</noscript><img src=x onerror={_RUN}>'>",
    f"<iframe srcdoc='<script>parent.{_RUN}</script>'></iframe>",
    f"<iframe src='javascript:parent.{_RUN}'></iframe>",
    f"<object data='javascript:{_RUN}'></object><embed src='javascript:{_RUN}'>",
    f"<body onload={_RUN}><details open ontoggle={_RUN}>x</details>",
    f"<input autofocus onfocus={_RUN}><select autofocus onfocus={_RUN}></select>",
    f"<video><source onerror={_RUN}></video><audio src=x onerror={_RUN}></audio>",
    f"<style>@import 'javascript:{_RUN}';</style><link rel=stylesheet href='javascript:{_RUN}'>",
    f"<meta http-equiv=refresh content='0;url=javascript:{_RUN}'><base href='javascript:{_RUN}//'>",
    f"<a href='javascript:{_RUN}'>x</a><a href='JaVaScRiPt:{_RUN}'>x</a>",
    f"<a href=' &#106;avascript:{_RUN}'>x</a>",
    f"<a href='java\tscript:{_RUN}'>x</a><a href='data:text/html,<script>{_RUN}</script>'>x</a>",
    f"<marquee onstart={_RUN}>x</marquee><div onmouseover={_RUN} style='position:fixed;inset:0'>x</div>",
    f"[x](javascript:{_RUN}) [x](JAVASCRIPT:{_RUN}) [x](java&#x0A;script:{_RUN}) [x](vbscript:{_RUN})",
    f"[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==) <javascript:{_RUN}>",
    f'![x](javascript:{_RUN}) ![x" onerror="{_RUN}](y)',
    f"[x](https://a 'y\" onmouseover=\"{_RUN}')",
    f"[x]: javascript:{_RUN}\n\n[x]",
    f"```<img src=x onerror={_RUN}>\n<script>{_RUN}</script>\n```",
    f"<!--<img src='--><img src=x onerror={_RUN}//'>",
    f"<![CDATA[<img src=x onerror={_RUN}>]]>",
    f"<template><script>{_RUN}</script></template><xmp><img src=x onerror={_RUN}></xmp>",
    f"<textarea></textarea><img src=x onerror={_RUN}><title></title><img src=x onerror={_RUN}>",
    f"<p id=x name=body><form id=test></form><button form=test formaction='javascript:{_RUN}'>x</button>",
    f"\u202e<img src=x onerror={_RUN}>\u2028<script>{_RUN}</script>",
    f"<img src=`x` onerror=`{_RUN}`><img/src/onerror={_RUN}><img\x0bsrc=x\x0conerror={_RUN}>",
    f"{{{{ {_RUN} }}}} {{% raw %}} ${{{_RUN}}} #{{{_RUN}}}",
)
