"""The report as one HTML page that needs nothing else: tables, drawings, what was missing and how it was made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape, unescape
from typing import Any

import numpy as np

from invariant_lpips.evaluation.rated import Measured
from invariant_lpips.evaluation.survey import charts
from invariant_lpips.evaluation.survey.agreement import agreement, judgements
from invariant_lpips.evaluation.survey.published import SOURCES, TOLERANCE
from invariant_lpips.evaluation.survey.style import STYLE
from invariant_lpips.statistics.correlations import LogisticFit

__all__ = ["TITLES", "page"]

TITLES = {
    "kadid10k": "KADID-10k",
    "tid2013": "TID2013",
    "tid2008": "TID2008",
    "csiq": "CSIQ",
    "live": "LIVE",
    "pipal": "PIPAL",
    "raid": "RAID",
    "bapps": "BAPPS",
}
"""Name of a database -> what its authors call it."""

DOTS = 2000  # of one scatter, drawn at random where there are more
KINDS_A_PANEL = 9  # of bars
TOLD_APART = 0.05  # p-value of a paired test


def page(report: Mapping[str, Any], measured: Mapping[str, Measured]) -> str:
    """The whole page.

    Args:
        report: of :func:`invariant_lpips.evaluation.survey.run`.
        measured: name of a rated database -> the scores that its scatters are drawn from.

    Returns:
        HTML, complete in itself: no script, no file or address that a browser would load.
    """
    databases = report["databases"]
    links = [("glance", "At a glance")] if databases else []
    links += [(name, TITLES[name]) for name in databases]
    body = [
        *heading(report),
        nav([*links, ("missing", "What was missing"), ("made", "How it was made")]),
        *at_a_glance(report),
        *beside_published(databases),
        *since_earlier(report),
    ]
    for name, database in databases.items():
        part = bapps_part if name == "bapps" else rated_part
        body += section(name, TITLES[name], part(database, list(report["metrics"]), measured.get(name)))
    body += section("missing", "What was missing", missing(report))
    body += section("made", "How it was made", made(report))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>Agreement with people</title><style>{STYLE}</style></head><body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def heading(report: Mapping[str, Any]) -> list[str]:
    """What was measured, in a sentence."""
    databases = report["databases"]
    pairs = sum(map(judgements, databases.values()))
    titles = f" ({', '.join(TITLES[name] for name in databases)})" if databases else ""
    return [
        "<header><h1>Agreement with people</h1>",
        f"<p>{counted(len(report['metrics']), 'metric')} on {counted(len(databases), 'database')}{titles}, "
        f"{pairs:,} judgements, by invariant-lpips {escape(report['versions']['invariant-lpips'])} "
        f"on {escape(report['date'])}.</p></header>",
    ]


def nav(links: Sequence[tuple[str, str]]) -> str:
    """Links to the sections."""
    return "<nav>" + "".join(f'<a href="#{at}">{escape(title)}</a>' for at, title in links) + "</nav>"


def section(at: str, title: str, content: Iterable[str]) -> list[str]:
    """A section of the page."""
    return [f'<section id="{at}"><h2>{escape(title)}</h2>', *content, "</section>"]


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already; the first of a row is its heading, and it scrolls by itself."""
    titles = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    lines = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(unescape(plain(caption)))}"><table>'
        f"<caption><span>{caption}</span></caption><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def details(summary: str, content: str) -> str:
    """Something that is folded away until it is asked for."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def beside(first: str, second: str) -> str:
    """Two things side by side where there is room."""
    return f'<div class="beside">{first}{second}</div>'


def figure(drawings: Sequence[str], caption: str) -> str:
    """Drawings side by side where there is room, with a caption."""
    return f'<figure><div class="panels">{"".join(drawings)}</div><figcaption>{caption}</figcaption></figure>'


def legend(names: Sequence[str], shown: Sequence[str]) -> str:
    """Which colour is which of the metrics shown; `names` are all."""
    entries = "".join(f'<li><i class="{colour_of(names, name)}"></i>{named(name)}</li>' for name in shown)
    return f'<ul class="legend">{entries}</ul>'


def colour_of(names: Sequence[str], name: str) -> str:
    """The class of a metric's colour, by its place among all; beyond the last colour they come again, drawn otherwise.

    Example:
        >>> colour_of("abcdefghijk", "b"), colour_of("abcdefghijk", "k")
        ('s1', 's0 again')
    """
    turn, colour = divmod(list(names).index(name), charts.COLOURS)
    return f"s{colour} again" if turn else f"s{colour}"


def at_a_glance(report: Mapping[str, Any]) -> list[str]:
    """Every metric on every database, and what agreement costs."""
    databases, metrics = report["databases"], report["metrics"]
    if not databases:
        return []
    rated = [name for name in databases if name != "bapps"]
    rows, means = [], {}
    for metric, entry in metrics.items():
        figures = [databases[name]["metrics"].get(metric, {}).get("srcc") for name in rated]
        known = [figure for figure in figures if figure is not None]
        if known and len(known) == len(rated):
            means[metric] = sum(known) / len(known)
        cells = [overall_cell(database, metric) for database in databases.values()]
        learned = any(metric in databases[name]["learned"] for name in rated)
        mean = f"{means[metric]:.3f}{'†' if learned else ''}" if metric in means else "–"
        rows.append(
            [named(metric), *cells, *([mean] if len(rated) > 1 else []), f"{entry['milliseconds']:.3g}"]
        )
    titles = {name: TITLES[name] + ("" if entry["complete"] else "‡") for name, entry in databases.items()}
    head = ["metric", *(f'<a href="#{name}">{title}</a>' for name, title in titles.items())]
    head += ["mean SRCC", "ms a pair"] if len(rated) > 1 else ["ms a pair"]
    caption = (
        "Rank correlation with people's scores (SRCC), of BAPPS the mean 2AFC score. <b>Bold</b> leads; "
        f"<u>underlined</u> is not told apart from it by the paired test (p ≥ {TOLD_APART}); † learned from scores "
        "of this database or of its pictures, so its figure is no test and leads nothing; ms a pair: both "
        "pictures at 256 px"
    )
    parts = [
        f"{judged(entry)} of {entry['rated']:,} judgements of {TITLES[name]}"
        for name, entry in databases.items()
        if not entry["complete"]
    ]
    caption += f"; ‡ {', '.join(parts)}." if parts else "."
    content = table(caption, head, rows)
    if means:
        points = {metric: (metrics[metric]["milliseconds"], mean) for metric, mean in means.items()}
        agreement = "mean SRCC" if len(rated) > 1 else "SRCC"
        titled = f"{agreement} over {counted(len(rated), 'database')} against cost"
        label = f"ms of {'CPU time' if report['device'] == 'cpu' else report['device']} a pair of 256 px"
        colours = {metric: colour_of(list(metrics), metric) for metric in points}
        drawn = charts.cost(titled, points, x_label=label, y_label=agreement, colours=colours)
        content = beside(
            content, figure([drawn], "Agreement against cost: higher agrees better, further left is cheaper.")
        )
    return section("glance", "At a glance", [content])


def overall_cell(database: Mapping[str, Any], metric: str) -> str:
    """The figure of a metric in the table of all databases."""
    figures = {other: agreement(entry) for other, entry in database["metrics"].items()}
    value = figures.get(metric)
    if value is None:
        return "–"
    # What was learned from these scores leads nothing: the best of those that were not is marked.
    fair = {
        other: figure
        for other, figure in figures.items()
        if figure is not None and other not in database["learned"]
    }
    mark = "†" if metric in database["learned"] else ""
    text = f"{value:.3f}{mark}"
    if metric not in fair:
        return text
    best = max(fair, key=lambda other: fair[other])
    if value == fair[best]:  # of a tie, all lead
        return f"<b>{text}</b>" if len(fair) > 1 else text
    test = next((t for t in database.get("paired", ()) if {t["first"], t["second"]} == {best, metric}), None)
    return f"<u>{text}</u>" if test is not None and test["p_value"] >= TOLD_APART else text


def beside_published(databases: Mapping[str, Any]) -> list[str]:
    """Our figures beside published ones."""
    rows, flagged = [], 0
    for name, database in databases.items():
        for metric, known in database["published"].items():
            flagged += known["flagged"] and database["complete"]
            title, address = SOURCES[known["source"]]
            note = "" if database["complete"] else f"{judged(database)} of {database['rated']:,} judgements"
            if known["flagged"]:
                differs = f"differs by more than {TOLERANCE:.2f}"
                # Of a part of a database nothing was published: that it differs is no alarm.
                note = f'<strong class="flag">{differs}</strong>' if not note else f"{differs}: {note}"
            source = f'<a href="{escape(address)}">{escape(title)}</a>'
            ours = f"{known['ours']:.3f}"
            difference = f"{known['difference']:+.3f}"
            rows.append(
                [f"{TITLES[name]}, {named(metric)}", f"{known['value']:g}", ours, difference, note, source]
            )
    if not rows:
        return []
    caption = (
        f"{counted(len(rows), 'figure')} that somebody published: SRCC, of BAPPS the mean 2AFC score. "
        + (
            f"Of complete databases {flagged or 'none'} {'differs' if flagged == 1 else 'differ'} by more than "
            f"{TOLERANCE:.2f}."
            if any(database["complete"] for database in databases.values())
            else "No database here is complete, so that none of them is a test of it."
        )
    )
    head = ["database, metric", "published", "here", "difference", "note", "source"]
    return section("published", "Beside published figures", [table(caption, head, rows)])


def since_earlier(report: Mapping[str, Any]) -> list[str]:
    """What changed since an earlier run."""
    compared = report.get("compared")
    if compared is None:
        return []
    changes = compared["changes"]
    changed = [row for row in changes if row["changed"] or row["because"]]
    rows = [
        [
            f"{TITLES.get(row['database'], row['database'])}, {named(row['metric'])}, {row['figure']}",
            f"{row['before']:.4f}",
            f"{row['now']:.4f}",
            (
                f'<strong class="flag">{row["change"]:+.4f}</strong>'
                if row["changed"]
                else f"{row['change']:+.4f}"
            ),
            escape("; ".join(row["because"])),
        ]
        for row in changed
    ]
    where = f"{escape(compared['with'])} of {escape(compared['date'])}"
    if not changes:
        return section(
            "changes", "Since the earlier run", [f"<p>{where} has no figure in common with this run.</p>"]
        )
    if not rows:
        text = f"<p>All {len(changes)} figures are those of {where}.</p>"
        return section("changes", "Since the earlier run", [text])
    caption = (
        f"{len(changed)} of {counted(len(changes), 'figure')} differ from {where}, or were made otherwise."
    )
    head = ["database, metric, figure", "then", "now", "change", "what else differs"]
    return section("changes", "Since the earlier run", [table(caption, head, rows)])


def rated_part(database: Mapping[str, Any], names: Sequence[str], measured: Measured | None) -> list[str]:
    """Everything about one rated database."""
    metrics, published = database["metrics"], database["published"]
    content = [about(database)]
    rows = []
    for name, entry in metrics.items():
        rows.append(
            [
                named(name) + ("†" if name in database["learned"] else ""),
                f"{entry['srcc']:.3f}",
                interval(entry.get("srcc_interval")),
                f"{entry['krcc']:.3f}",
                f"{entry['plcc']:.3f}" + ("*" if entry["logistic_failed"] else ""),
                interval(entry.get("plcc_interval")),
                f"{entry['rmse']:.3g}",
                *([published_cell(published, name)] if published else []),
            ]
        )
    caption = "Agreement with people; intervals are 95 % over references; RMSE is in units of the scores."
    if any(entry["logistic_failed"] for entry in metrics.values()):
        caption += " * a straight line in place of the logistic."
    if database["learned"]:
        caption += " † learned from these scores or these pictures: no test."
    head = ["metric", "SRCC", "interval", "KRCC", "PLCC", "interval", "RMSE"]
    head += ["SRCC, published"] if published else []
    figures = table(caption, head, rows)
    dots = [
        (
            name,
            entry["srcc"],
            entry.get("srcc_interval"),
            database["published"].get(name, {}).get("value"),
            colour_of(names, name),
        )
        for name, entry in metrics.items()
    ]
    overview = charts.intervals("Rank correlation with its interval", dots, "SRCC")
    said = "SRCC with its 95 % interval" if any(ends for _, _, ends, _, _ in dots) else "SRCC"
    said += "; a hollow diamond is the published figure." if published else "."
    content.append(beside(figures, figure([overview], said)))
    if "raid" in database:
        content += raid_part(database["raid"], database["distortions"], names)
    if len(database["distortions"]) > 1:
        groups = {
            title: [entry["by_distortion"].get(code, {}).get("srcc") for entry in metrics.values()]
            for code, title in database["distortions"].items()
        }
        drawn = bar_panels("Rank correlation by kind of distortion", groups, list(metrics), names, "SRCC")
        content.append(figure(drawn, "SRCC within each kind of distortion."))
    for key, title in (("by_distortion", "by kind of distortion"), ("by_level", "by level")):
        if len(next(iter(metrics.values()))[key]) > 1:
            content.append(
                details(f"Rank correlation {title}, as a table", group_table(database, key, title))
            )
    if database["paired"]:
        tests = [
            [
                f"{named(test['first'])} − {named(test['second'])}",
                f"{test['difference']:+.3f}",
                interval([test["low"], test["high"]]),
                f"{test['p_value']:.3f}",
            ]
            for test in database["paired"]
        ]
        caption = "Difference of SRCC, both metrics on the same draws of references."
        compared = table(caption, ["metrics", "difference", "95 % interval", "p"], tests)
        content.append(details(f"Paired tests ({len(tests)})", compared))
    if measured is not None:
        content.append(scatters(database, names, measured))
    return content


def about(database: Mapping[str, Any]) -> str:
    """How much of a database was judged, and where it lies."""
    part = f"{counted(database['pairs'], 'pair')} of {counted(database['references'], 'reference')}"
    if not database["complete"]:
        part += f", of {database['rated']:,} that are published"
    sides = f"; scores: {escape(database['score_direction'])}"
    left = "".join(
        f" {escape(name)} was left out: {escape(why)}" for name, why in database.get("left_out", {}).items()
    )
    return f"<p>{part}{sides}. Read from <code>{escape(database['where'])}</code>.{left}</p>"


def bar_panels(
    title: str,
    groups: Mapping[str, Sequence[float | None]],
    metrics: Sequence[str],
    names: Sequence[str],
    label: str,
) -> list[str]:
    """A legend, and bars in panels of about equal height."""
    panels = max(1, -(-len(groups) // KINDS_A_PANEL))
    size = -(-len(groups) // panels)
    kinds, colours = list(groups), [colour_of(names, metric) for metric in metrics]
    drawn = [
        charts.bars(
            title, {kind: groups[kind] for kind in kinds[start : start + size]}, metrics, label, colours
        )
        for start in range(0, len(kinds), size)
    ]
    return [legend(names, metrics), *drawn]


def group_table(database: Mapping[str, Any], key: str, title: str) -> str:
    """SRCC of every group and metric."""
    metrics = database["metrics"]
    rows = []
    for code, cell in next(iter(metrics.values()))[key].items():
        name = database["distortions"].get(code, code) if key == "by_distortion" else code
        found = [entry[key].get(code, {}).get("srcc") for entry in metrics.values()]
        rows.append(
            [
                escape(name),
                f"{cell['pairs']:,}",
                *("–" if value is None else f"{value:.3f}" for value in found),
            ]
        )
    return table(f"SRCC {title}; – where there are too few pairs.", ["", "pairs", *map(named, metrics)], rows)


def scatters(database: Mapping[str, Any], names: Sequence[str], measured: Measured) -> str:
    """People's scores over each metric."""
    scores = measured.pairs.scores
    chosen = np.arange(len(scores))
    if len(scores) > DOTS:
        chosen = np.sort(np.random.default_rng(0).choice(len(scores), DOTS, replace=False))
    drawings = []
    for result in measured.results:
        entry = database["metrics"][result.metric]
        line = np.linspace(result.values.min(), result.values.max(), 60)
        fit = LogisticFit(tuple(entry["logistic"]), entry["logistic_failed"]).predict(line)
        drawings.append(
            charts.scatter(
                f"{result.metric}: SRCC {entry['srcc']:.3f}, PLCC {entry['plcc']:.3f}",
                list(zip(result.values[chosen].tolist(), scores[chosen].tolist(), strict=True)),
                list(zip(line.tolist(), fit.tolist(), strict=True)),
                x_label=f"{result.metric} (SRCC {entry['srcc']:.3f})",
                y_label="people's score",
                colour=colour_of(names, result.metric),
            )
        )
    part = f" {DOTS:,} of {len(scores):,} pairs, drawn at random." if len(scores) > DOTS else ""
    return figure(
        drawings, f"People's scores over each metric, with the curve that PLCC is taken after.{part}"
    )


def raid_part(raid: Mapping[str, Any], kinds: Mapping[str, str], names: Sequence[str]) -> list[str]:
    """Response curves, and how large a change of each kind is where it counts 1 JOD."""
    drawings = []
    for code, human in raid["human"]["curves"].items():
        lines = []
        for name, entry in raid["metrics"].items():
            curve = entry["curves"][code]
            points = list(zip(curve["sizes"], curve["jod"], strict=True))
            lines.append((name, points, colour_of(names, name)))
        lines.append(("people", list(zip(human["sizes"], human["jod"], strict=True)), "people"))
        label = f"{kinds[code]}, {human['unit']}"
        drawings.append(charts.curves(f"Response to {kinds[code]}", lines, x_label=label, y_label="JOD"))
    people = '<li><i class="people"></i>people</li></ul>'
    legends = legend(names, list(raid["metrics"])).replace("</ul>", people)
    caption = (
        "Mean response to each change in JOD, metrics after one calibration for all kinds together. A metric whose "
        "line lies above people's calls the change larger than they do."
    )
    codes = list(raid["human"]["curves"])
    rows = [
        [
            named(name),
            *(
                "never" if entry["size_of_1_jod"][code] is None else f"{entry['size_of_1_jod'][code]:.3g}"
                for code in codes
            ),
            *(
                [f"{entry['srcc_mean_points']:.3f}", f"{entry['calibrated']['rmse_jod']:.2f}"]
                if name != "people"
                else ["", ""]
            ),
        ]
        for name, entry in [("people", raid["human"]), *raid["metrics"].items()]
    ]
    units = [f"{kinds[code]}, {escape(raid['human']['curves'][code]['unit'])}" for code in codes]
    head = ["metric", *units, "SRCC over the curves' points", "RMSE in JOD"]
    return [
        legends + figure(drawings, caption),
        table(
            "How large each change is where it counts 1 JOD, or never where it does not get so far.",
            head,
            rows,
        ),
    ]


def bapps_part(database: Mapping[str, Any], names: Sequence[str], measured: Measured | None) -> list[str]:
    """2AFC and JND of BAPPS."""
    left = "".join(
        f" {escape(name)} was left out: {escape(why)}" for name, why in database.get("left_out", {}).items()
    )
    absent = f" Not there: {escape(', '.join(database['missing']))}." if database["missing"] else ""
    content = [
        f"<p>{counted(database['choices'], 'choice')} and {counted(database['pairs'], 'pair')} of patches at "
        f"{database['size']} px. Read from <code>{escape(database['where'])}</code>.{absent} LPIPS and "
        f"ST-LPIPS learned from choices of the same kinds, of other patches.{left}</p>"
    ]
    for part, title, label in (
        (
            "2afc",
            "2AFC: the mean share of people that a metric sides with on which of two patches is nearer; chance is 0.5",
            "share of people",
        ),
        (
            "jnd",
            "JND: mean average precision in telling patches that people call the same",
            "mean average precision",
        ),
    ):
        tables = {name: entry[part] for name, entry in database["metrics"].items() if part in entry}
        if tables:
            subsets = list(next(iter(tables.values())))
            known = database["published"] if part == "2afc" else {}
            rows = [
                [
                    named(name),
                    *(f"{found[subset]:.3f}" for subset in subsets),
                    *([published_cell(known, name)] if known else []),
                ]
                for name, found in tables.items()
            ]
            head = ["metric", *map(escape, subsets), *(["mean, published"] if known else [])]
            content.append(table(f"{title}.", head, rows))
            kinds = {subset: [found[subset] for found in tables.values()] for subset in subsets}
            short = title.partition(":")[0] + " by subset"
            content.append(figure(bar_panels(short, kinds, list(tables), names, label), f"{short}."))
    return content


def missing(report: Mapping[str, Any]) -> list[str]:
    """What was not found, not read or left out, and what to do about it."""
    content = []
    if report["not_found"]:
        rows = [[TITLES[name], escape(obtain)] for name, obtain in report["not_found"].items()]
        content.append(table("Databases that do not lie there.", ["database", "where to get it"], rows))
    if report["problems"]:
        rows = [[TITLES[name], f"<pre>{escape(said)}</pre>"] for name, said in report["problems"].items()]
        content.append(
            table("Databases that were found and could not be run.", ["database", "what is wrong"], rows)
        )
    if report["left_out"]:
        rows = [[named(name), escape(why)] for name, why in report["left_out"].items()]
        content.append(table("Metrics that were left out everywhere.", ["metric", "why"], rows))
    if report["remarks"]:
        content.append(
            "<ul>" + "".join(f"<li>{escape(remark)}</li>" for remark in report["remarks"]) + "</ul>"
        )
    left = [
        f"<li>{escape(metric)} on {TITLES[name]}: {escape(why)}</li>"
        for name, database in report["databases"].items()
        for metric, why in database.get("left_out", {}).items()
    ]
    if left:
        content.append(f"<p>Metrics that were left out of one database:</p><ul>{''.join(left)}</ul>")
    if parts := [TITLES[name] for name, database in report["databases"].items() if not database["complete"]]:
        content.append(f"<p>There in part: {', '.join(parts)}.</p>")
    return content or ["<p>Nothing: every database and every metric asked for is above, and complete.</p>"]


def made(report: Mapping[str, Any]) -> list[str]:
    """Command, versions, machine, and what the figures are."""
    versions = ", ".join(f"{escape(name)} {escape(version)}" for name, version in report["versions"].items())
    machine = report["machine"]
    where = f"{escape(machine['processor'])}, {counted(machine['threads'], 'thread')}, {escape(machine['system'])}"
    where += f", {escape(machine['gpu'])}" if machine["gpu"] else ""
    rows = [[named(name), escape(entry["description"])] for name, entry in report["metrics"].items()]
    return [
        f"<p><code>{escape(report['command'])}</code></p><p>{versions}. {where}.</p>",
        "<p>SRCC and KRCC are Spearman's and Kendall's rank correlation over all pairs; PLCC and RMSE are taken after "
        "a monotone four-parameter logistic. 1 is perfect agreement, whichever way metric and scores run. Intervals "
        f"and tests draw whole references {report['resamples']:,} times. 1 JOD is a difference that three in four see. "
        "report.json beside this page holds every figure; a later run shows what changed with "
        "<code>--compare report.json</code>.</p>",
        details(
            "What exactly each metric is",
            table("Metrics.", ["name", "implementation, version, weights"], rows),
        ),
    ]


def named(metric: str) -> str:
    """A metric's name, which a narrow column may break after a mark.

    Example:
        >>> named("gap+alex")
        'gap+<wbr>alex'
    """
    return "<wbr>".join(escape(part) for part in re.split(r"(?<=[+=/:_.])(?=.)", metric))


def published_cell(published: Mapping[str, Any], metric: str) -> str:
    """What was published of a metric, or nothing."""
    return f"{published[metric]['value']:g}" if metric in published else ""


def interval(ends: Sequence[float] | None) -> str:
    """An interval, or nothing."""
    return "" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"


def judged(database: Mapping[str, Any]) -> str:
    """How many judgements a database's figures rest on."""
    return f"{judgements(database):,}"


def counted(number: int, word: str) -> str:
    """A number with its noun.

    Example:
        >>> counted(1, "pair"), counted(1700, "pair")
        ('1 pair', '1,700 pairs')
    """
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def plain(text: str) -> str:
    """A caption without its marks."""
    return text.replace("<b>", "").replace("</b>", "").replace("<u>", "").replace("</u>", "")
