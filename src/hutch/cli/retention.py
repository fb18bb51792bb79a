"""``hutch retention``: rules that say which runs may be deleted, and which must be kept."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import asdict
from typing import Any

import click

from hutch.cli.ages import parse_days
from hutch.cli.assignments import assignments
from hutch.cli.delete import carry_out, write_plan, write_result
from hutch.cli.naming import run_bar
from hutch.cli.options import as_json, command, group, in_store, open_existing

__all__ = ["retention"]


@group("hutch retention list")
def retention() -> None:
    """Keep the rules that say which runs may be deleted, and which must be kept.

    A rule alone does nothing: hutch retention apply says what the rules would delete, and does it with
    --yes. Runs that a rule with --keep fits are deleted by no other rule, nor by hutch delete.
    """


@command("hutch retention set alignment --older-than 90d --where purpose=alignment", name="set")
@click.argument("name", metavar="NAME")
@click.option(
    "--older-than",
    "older_than_days",
    metavar="AGE",
    callback=parse_days,
    help="Delete runs whose start is so long ago.",
)
@click.option("--keep", is_flag=True, help="Keep runs, whatever other rules and people say.")
@click.option(
    "--where", metavar="KEY=VALUE", multiple=True, help="Only runs that have this; may be given again."
)
@click.option(
    "--unless", metavar="KEY=VALUE", multiple=True, help="No runs that have this; may be given again."
)
@click.option(
    "--status", metavar="STATUS", multiple=True, help="Only success, abort, fail or interrupted runs."
)
@click.option("--keep-last", metavar="N", type=click.IntRange(min=0), default=0, help=(
    "Spare the newest N of the runs that fit; with --keep, keep only those."
))  # fmt: skip
@click.option("--author", metavar="NAME", help="Who; else user@host.")
@in_store
def set_(
    name: str,
    older_than_days: float | None,
    keep: bool,
    where: tuple[str, ...],
    unless: tuple[str, ...],
    status: tuple[str, ...],
    keep_last: int,
    author: str | None,
    store: str | None,
) -> None:
    """Set a rule, in place of one of the same name.

    KEY is a field of the start document, sample.name a field in a field, stop.reason one of the stop
    document; VALUE is taken as JSON if it is JSON, else as text.
    """
    declared: dict[str, Any] = {"keep": keep, "keep_last": keep_last, "status": status}
    declared["where"], declared["unless"] = assignments(where), assignments(unless)
    if older_than_days is not None:
        declared["older_than_days"] = older_than_days
    rule = open_existing(store).retention.set(name, author=author, **declared)
    click.echo(f"{rule.name}: {rule}")


@command("hutch retention list", name="list")
@as_json
@in_store
def list_(json_wanted: bool, store: str | None) -> None:
    """List the rules."""
    from hutch.cli import format
    from hutch.cli.views import care as care_views

    catalog = open_existing(store)
    rules = catalog.retention.rules()
    if json_wanted:
        click.echo(format.to_json([{"name": rule.name, **rule.to_json()} for rule in rules]))
    elif rules:
        format.write(care_views.rules_table(rules))
    else:
        click.echo(f"No rules of retention in {catalog.store.location}", err=True)


@command("hutch retention remove alignment", name="remove")
@click.argument("name", metavar="NAME")
@in_store
def remove(name: str, store: str | None) -> None:
    """Remove a rule; what it kept may then be deleted."""
    open_existing(store).retention.remove(name)
    click.echo(f"Removed the rule {name}.", err=True)


@command("hutch retention apply", name="apply")
@click.option("--yes", "is_sure", is_flag=True, help="Delete the runs; else it is only said which.")
@click.option("--author", metavar="NAME", help="Who; else user@host.")
@as_json
@in_store
@click.pass_context
def apply(
    ctx: click.Context, is_sure: bool, author: str | None, json_wanted: bool, store: str | None
) -> None:
    """Apply the rules: without --yes only say which runs would go, and by which rule."""
    from hutch.cli import format

    catalog = open_existing(store)
    with run_bar("looking at") as progress:
        plan = catalog.retention.plan(progress)
    if is_sure:
        result = carry_out(plan, "", author)
        if json_wanted:
            click.echo(format.to_json(asdict(result)))
        ctx.exit(write_result(plan, result, quiet=json_wanted))
    write_plan(plan, json_wanted=json_wanted)
    if json_wanted:
        return
    for name, count in sorted(Counter(plan.kept.values()).items()):
        click.echo(
            f"The rule {format.printable(name)} keeps {format.counted(count, 'run')} of others.", err=True
        )
    if plan.runs:
        place = f" --store {shlex.quote(store)}" if store else ""
        click.echo(f"Nothing is deleted yet. Delete these with: hutch retention apply --yes{place}", err=True)


for _command in (set_, list_, remove, apply):
    retention.add_command(_command)
