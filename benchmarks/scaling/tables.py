"""The results as tables in Markdown."""

HEAD = (
    "cluster",
    "trains",
    "re-trains",
    "waits",
    "controller",
    "answer, median / 99 %",
    "storage",
    "network: saves / exploits / fetches",
    "lost states",
)
WAITS = ("saving", "uploading", "deciding", "loading", "starting")


def table(sweep):
    rows = [HEAD, tuple("---" for _ in HEAD), *map(_row, sweep["rows"])]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(result):
    shares, sent = result["shares"], result["sent_bytes_per_s"]
    waits = sum(shares.get(what, 0.0) for what in WAITS)
    longest = max(WAITS, key=lambda what: shares.get(what, 0.0))
    why = f" ({longest} {_percent(shares[longest])})" if waits else ""
    return (
        result["name"],
        _percent(shares["training"]),
        _percent(shares.get("lost", 0.0)),
        f"{_percent(waits)}{why}",
        _percent(result["controller_load"]),
        f"{_seconds(result['answer_p50_s'])} / {_seconds(result['answer_p99_s'])}",
        _percent(result["storage_load"]),
        " / ".join(f"{sent.get(road, 0) / 1e9:.2f}" for road in ("upload", "exploit", "fetch")) + " GB/s",
        str(result["happened"].get("state lost", 0)),
    )


def _percent(share):
    return f"{100 * share:.1f} %" if share < 0.995 else f"{100 * share:.0f} %"


def _seconds(seconds):
    return f"{1e3 * seconds:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def update_page(page, results):
    """Put each table between its marks."""
    text = page.read_text()
    for number, sweep in enumerate(results):
        begin, end = f"<!-- figures {number} -->", f"<!-- end of figures {number} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise SystemExit(f"{page} must have a place for {sweep['title']!r}: {begin} ... {end}")
        text = f"{before}{begin}\n{table(sweep)}\n{end}{after}"
    page.write_text(text)
