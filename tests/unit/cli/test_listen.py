"""``hutch listen`` at the command line: help, wrong usage, settings."""

from __future__ import annotations

import shlex

import click
import pytest

from hutch.cli.listen import listen

NAMES = sorted(listen.commands)


@pytest.mark.parametrize("name", NAMES)
def test_help_ends_in_an_example_that_is_understood(invoke, name):
    lines = invoke("listen", name, "--help").stdout.splitlines()
    command = listen.commands[name]

    assert lines[-2] == "Example:"
    words = shlex.split(lines[-1])
    assert words[:3] == ["hutch", "listen", name]
    with click.Context(command) as context:
        command.parse_args(context, words[3:])
    assert context.params["store"] == "beamtime"


@pytest.mark.parametrize(
    "arguments",
    [
        ["zmq"],
        ["zmq", "localhost:5578", "--client-secret", "key"],
        ["kafka", "topic"],
        ["kafka", "--bootstrap", "localhost:9092"],
        ["kafka", "--bootstrap", "localhost:9092", "topic", "--from", "yesterday"],
        ["kafka", "--bootstrap", "localhost:9092", "topic", "--idle", "0"],
        ["nosuch"],
    ],
)
def test_wrong_usage_ends_with_2(invoke, arguments):
    assert invoke("listen", *arguments).exit_code == 2


def test_a_file_of_settings_that_is_not_there_is_named(invoke):
    found = invoke("listen", "kafka", "--bootstrap", "localhost:9092", "topic", "--config", "nowhere")

    assert found.exit_code == 1
    assert found.stderr == "hutch: 'nowhere': No such file or directory.\n"


def test_an_address_that_cannot_be_used_is_said_in_one_line(invoke):
    found = invoke("listen", "zmq", "nonsense")

    assert found.exit_code == 1
    assert found.stderr.startswith("hutch: The 0MQ address 'nonsense' cannot be used")


def test_a_cluster_without_a_broker_is_refused(invoke):
    found = invoke("listen", "kafka", "--bootstrap", "", "topic")

    assert found.exit_code == 1
    assert found.stderr.startswith("hutch: No broker is named.")
