"""The ``harken`` command, as people and programs call it: in a process of its own, in a folder of its own."""

from __future__ import annotations

import json
import os
import select
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import app
from vocabulary import GENERAL_CODES, Intent, Sentiment, Urgency

ROOT = Path(__file__).parent.parent

CONFIG = """
[city]
name = "Alder Falls"
reference_prefix = "AF"
languages = ["en", "es"]
services = "services.csv"

[accounts.city_hall_x]
platform = "x"
handle = "alderfalls"
base_url = "http://127.0.0.1:{port}"
"""
SECRET = "HARKEN_ACCOUNTS__CITY_HALL_X__BEARER_TOKEN=sandbox-bearer-token\n"
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "NO_COLOR": "1", "COLUMNS": "200"}

Harken = Callable[..., "subprocess.CompletedProcess[str]"]


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HARKEN_")}
    return {**kept, **ENVIRONMENT}


def called(folder: Path, *arguments: str, stdin: str | bytes = "") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        cwd=folder,
        env=environment(),
        capture_output=True,
        timeout=200,
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def harken(tmp_path: Path) -> Harken:
    """Runs a command in the test's own folder: ``harken("staff", "list")``."""
    return partial(called, tmp_path)


@pytest.fixture(scope="module")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A migrated database without accounts: made once, since every test wants one."""
    folder = tmp_path_factory.mktemp("new")
    assert called(folder, "init").returncode == 0
    made = called(folder, "db", "upgrade")
    assert made.returncode == 0, made.stderr
    return (folder / "harken.db").read_bytes()


@pytest.fixture
def city(tmp_path: Path, free_port: int, new_database: bytes) -> Path:
    """A city with one account, whose platform does not answer; gives its folder."""
    (tmp_path / "services.csv").write_bytes((ROOT / "templates" / "starting" / "services.csv").read_bytes())
    (tmp_path / "harken.toml").write_text(CONFIG.format(port=free_port))
    secrets = tmp_path / "secrets.env"
    secrets.write_text(SECRET)
    secrets.chmod(0o600)
    (tmp_path / "harken.db").write_bytes(new_database)
    return tmp_path


def rows(lines: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.splitlines()]


def jsonl(path: Path, things: Iterable[object]) -> Path:
    path.write_text("".join(json.dumps(thing) + "\n" for thing in things), encoding="utf-8")
    return path


def how_many(city: Path, table: str) -> int:
    connection = sqlite3.connect(city / "harken.db")
    try:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        connection.close()


# --- Help, faults, the first steps ---


def test_help_names_every_command(harken: Harken) -> None:
    told = harken("--help")

    assert told.returncode == 0
    commands = (
        "run web worker init doctor verify-audit backup restore poll process import classify train evaluate db staff "
        "token sandbox"
    )
    assert [name for name in commands.split() if f" {name} " not in told.stdout] == []


@pytest.mark.parametrize(
    "command",
    ["run", "poll", "process", "classify", "import", "staff add", "token create", "db upgrade", "sandbox load"],
)
def test_each_command_explains_itself(command: str) -> None:
    told = CliRunner().invoke(app, [*command.split(), "--help"])

    assert told.exit_code == 0
    assert "Usage:" in told.output


def test_help_loads_neither_model_nor_web_pages() -> None:
    """So that it answers at once."""
    code = (
        "import sys, cli; print([m for m in ('onnxruntime', 'transformers', 'fastapi', 'tweepy') if m in sys.modules])"
    )

    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["staff", "add"],
        ["run", "--config", "nowhere.toml"],
        ["poll"],
        ["classify", "nowhere.jsonl"],
    ],
    ids=" ".join,
)
def test_a_bad_call_exits_2_and_says_so_on_stderr(harken: Harken, arguments: list[str]) -> None:
    told = harken(*arguments)

    assert told.returncode == 2
    assert told.stderr.strip()
    assert "Traceback" not in told.stderr
    assert told.stdout == ""


def test_a_fault_of_the_config_is_one_clear_line(city: Path, harken: Harken) -> None:
    with (city / "harken.toml").open("a") as file:
        file.write("[webb]\n")

    told = harken("poll")

    assert told.returncode == 2
    assert len(told.stderr.splitlines()) == 1
    assert "harken.toml: unknown key 'webb'" in told.stderr


def test_init_writes_what_doctor_finds_good(tmp_path: Path, harken: Harken) -> None:
    begun = harken("init", "new-city")
    examined = harken("doctor", "--config", "new-city/harken.toml")

    assert begun.returncode == 0, begun.stderr
    assert {path.name for path in (tmp_path / "new-city").iterdir()} >= {"harken.toml", "services.csv"}
    assert examined.returncode == 0, examined.stdout
    assert "FAIL" not in examined.stdout
    assert "warn accounts: none" in examined.stdout, "what is still to be done is said"


def test_init_overwrites_nothing(tmp_path: Path, harken: Harken) -> None:
    (tmp_path / "services.csv").write_text("ours")
    harken("init")
    (tmp_path / "harken.toml").write_text("ours too")

    again = harken("init")

    assert again.returncode == 2
    assert "is there already" in again.stderr
    assert (tmp_path / "harken.toml").read_text() == "ours too"
    assert (tmp_path / "services.csv").read_text() == "ours"


def test_doctor_exits_1_and_names_the_remedy(city: Path, harken: Harken) -> None:
    (city / "secrets.env").chmod(0o644)

    told = harken("doctor")

    assert told.returncode == 1
    assert "FAIL config:" in told.stdout
    assert "chmod 600" in told.stdout


@pytest.mark.usefixtures("city")
def test_doctor_tells_an_account_whose_platform_does_not_answer(harken: Harken) -> None:
    told = harken("doctor")

    assert told.returncode == 1
    assert "ok   account city_hall_x: x, dry run, 1 secrets" in told.stdout
    assert "FAIL account city_hall_x reachable:" in told.stdout
    assert "sandbox-bearer-token" not in told.stdout + told.stderr


def test_the_config_may_be_named_by_the_environment(
    city: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setitem(ENVIRONMENT, "HARKEN_CONFIG", str(city / "harken.toml"))

    told = called(elsewhere, "staff", "list")

    assert told.returncode == 0, told.stderr
    assert not list(elsewhere.iterdir()), "the SQLite file lies beside its config"


def test_upgrading_again_changes_nothing(city: Path, harken: Harken) -> None:
    before = how_many(city, "audit")

    told = harken("db", "upgrade")

    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("schema ")
    assert how_many(city, "audit") == before


@pytest.mark.parametrize("command", [["poll"], ["web"]], ids=" ".join)
def test_an_empty_database_is_refused_with_the_command_to_run(city: Path, harken: Harken, command: list[str]) -> None:
    for path in city.glob("harken.db*"):
        path.unlink()

    told = harken(*command)

    assert told.returncode == 2
    assert "harken db upgrade" in told.stderr


# --- Rounds by hand ---


@pytest.mark.usefixtures("city")
def test_poll_tells_a_failing_account_and_exits_1(harken: Harken) -> None:
    told = harken("poll", "--json")

    assert told.returncode == 1
    [line] = rows(told.stdout)
    assert line.keys() >= {"account", "collected", "new", "gaps", "ms", "error"}
    assert line["account"] == "city_hall_x"
    assert line["error"]


@pytest.mark.usefixtures("city")
def test_poll_names_the_accounts_there_are(harken: Harken) -> None:
    told = harken("poll", "city_hall_y")

    assert told.returncode == 2
    assert "there is city_hall_x" in told.stderr


@pytest.mark.usefixtures("city")
def test_process_ends_when_nothing_is_due(harken: Harken) -> None:
    told = harken("process")

    assert told.returncode == 0, told.stderr
    assert "nothing more is due" in told.stdout


POSTS = [
    {
        "post_id": f"100{number}",
        "author": {"handle": f"resident{number}", "name": "R", "platform_user_id": f"{number}"},
        "text": f"@alderfalls pothole number {number} on Oak Street",
        "posted_at": f"2026-10-0{number}T12:00:00Z",
    }
    for number in range(1, 4)
]


def test_importing_twice_is_importing_once(city: Path, harken: Harken) -> None:
    file = jsonl(city / "posts.jsonl", POSTS)
    arguments = ("import", str(file), "--platform", "x", "--account", "city_hall_x")

    first, second = harken(*arguments), harken(*arguments)

    assert first.stdout.startswith("3 read, 3 new, 0 "), first.stderr
    assert second.stdout.startswith("3 read, 0 new, 0 ")
    assert how_many(city, "mention") == 3


def test_what_is_imported_is_assessed_and_gets_no_draft(city: Path, harken: Harken) -> None:
    file = jsonl(city / "posts.jsonl", POSTS)
    harken("import", str(file), "--platform", "x", "--account", "city_hall_x")

    done = harken("process")

    assert done.returncode == 0, done.stderr
    assert how_many(city, "assessment") == 3
    assert how_many(city, "draft") == 0


def test_import_keeps_the_good_lines_names_the_bad_and_exits_1(city: Path, harken: Harken) -> None:
    file = jsonl(city / "posts.jsonl", [POSTS[0], {"post_id": "9"}, POSTS[1]])

    told = harken("import", str(file), "--platform", "x", "--account", "city_hall_x")

    assert told.returncode == 1
    assert told.stdout.startswith("3 read, 2 new, 1 ")
    assert "line 2: " in told.stderr
    assert how_many(city, "mention") == 2


def test_import_wants_an_account_of_that_platform(city: Path, harken: Harken) -> None:
    file = jsonl(city / "posts.jsonl", POSTS)

    told = harken("import", str(file), "--platform", "facebook", "--account", "city_hall_x")

    assert told.returncode == 2
    assert "city_hall_x (x)" in told.stderr


# --- Classifying ---

HEADS = {
    "intent": {one.value for one in Intent},
    "service_code": {*GENERAL_CODES, "none"},
    "sentiment": {one.value for one in Sentiment},
    "urgency": {one.value for one in Urgency},
}


def test_classify_answers_each_line_in_order_without_any_config(harken: Harken) -> None:
    posts = [{"id": number, "text": f"Pothole number {number} on Oak Street"} for number in range(300)]

    told = harken("classify", stdin="".join(json.dumps(post) + "\n" for post in posts))

    answers = rows(told.stdout)
    assert told.returncode == 0, told.stderr
    assert [one["id"] for one in answers] == list(range(300))
    assert {tuple(one) for one in answers} == {
        ("id", "intent", "service_code", "sentiment", "urgency", "language", "scores")
    }


def test_classify_gives_probabilities_for_every_label_and_their_largest_as_the_answer(
    harken: Harken, tmp_path: Path
) -> None:
    file = jsonl(tmp_path / "posts.jsonl", [{"id": "a", "text": "There is a huge pothole on Oak Street, fix it"}])

    [answer] = rows(harken("classify", str(file)).stdout)

    assert {head: set(scores) for head, scores in answer["scores"].items()} == HEADS
    for head, scores in answer["scores"].items():
        assert sum(scores.values()) == pytest.approx(1, abs=0.01)
        if head in ("intent", "sentiment"):
            assert answer[head] == max(scores, key=scores.__getitem__)
    assert (answer["intent"], answer["service_code"], answer["language"]) == ("report", "pothole_road", "en")


@pytest.mark.usefixtures("city")
def test_classify_answers_in_the_citys_codes_where_a_config_is_named(harken: Harken) -> None:
    post = json.dumps({"id": 1, "text": "There is a huge pothole on Oak Street, fix it"})

    [answer] = rows(harken("classify", "--config", "harken.toml", stdin=post).stdout)

    assert answer["service_code"] == "pothole"


def test_a_bad_line_is_answered_in_its_place_and_the_others_go_on(harken: Harken) -> None:
    lines = [
        b'{"id": "good", "text": "The street light at 5th and Oak is out"}',
        b"not JSON",
        b"",
        b'{"id": 7}',
        b'{"id": "number", "text": 5}',
        b"[1]",
        b"\xff\xfe",
        b'{"id": ' + b"7" * 5_000 + b', "text": "more digits than Python reads"}',
        b'{"id": "last", "text": "gracias"}',
    ]

    told = harken("classify", stdin=b"\n".join(lines))

    answers = rows(told.stdout)
    assert told.returncode == 1
    assert [one["id"] for one in answers] == ["good", None, 7, "number", None, None, None, "last"]
    assert [(one["line"], set(one)) for one in answers if "error" in one] == [
        (number, {"id", "line", "error"}) for number in (2, 4, 5, 6, 7, 8)
    ]


def test_no_text_stops_classify(harken: Harken) -> None:
    texts = ["", "\x00", "\ud800", "🕳️" * 50, "{{ 7 * 7 }} <script>", "a " * 50_000, "\u202eoak\u200b"]

    told = harken("classify", stdin="\n".join(json.dumps({"id": 1, "text": text}) for text in texts))

    assert told.returncode == 0, told.stderr
    assert len(rows(told.stdout)) == len(texts)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(harken: Harken) -> None:
    told = harken("classify", stdin=b'\xef\xbb\xbf{"id": 1, "text": "a"}\r\n{"id": 2, "text": "b"}\r\n')

    assert told.returncode == 0
    assert [one["id"] for one in rows(told.stdout)] == [1, 2]


def test_nothing_in_is_nothing_out(harken: Harken) -> None:
    told = harken("classify", stdin="")

    assert (told.returncode, told.stdout) == (0, "")


def test_classify_answers_a_line_before_the_next_one_is_written() -> None:
    command = [sys.executable, "-m", "cli", "classify"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=environment()
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(2):
            process.stdin.write(b'{"id": %d, "text": "pothole"}\n' % number)
            process.stdin.flush()
            assert select.select([process.stdout], [], [], 60)[0], "no answer while the input stays open"
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()
        assert process.wait(60) == 0


# --- People and keys ---


@pytest.mark.usefixtures("city")
def test_staff_add_prints_a_sign_in_link_as_its_last_line(harken: Harken) -> None:
    told = harken("staff", "add", "ann@example.gov", "--role", "approver")

    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[-1].startswith("http://127.0.0.1:8311/console/welcome/")


@pytest.mark.usefixtures("city")
def test_a_second_role_is_added_to_the_same_person(harken: Harken) -> None:
    harken("staff", "add", "ann@example.gov", "--role", "responder", "--account", "city_hall_x")
    harken("staff", "add", "ann@example.gov", "--role", "approver", "--department", "Public Works")

    listed = harken("staff", "list")

    roles = "approver for Public Works, responder for account city_hall_x"
    assert listed.stdout == f"ann@example.gov\t{roles}\tactive\n"


def test_a_password_comes_from_standard_input_and_is_kept_as_a_hash(city: Path, harken: Harken) -> None:
    told = harken(
        "staff", "add", "bob@example.gov", "--role", "admin", "--password-stdin", stdin="a long enough password\n"
    )

    assert told.returncode == 0, told.stderr
    assert "welcome" not in told.stdout
    assert b"a long enough password" not in b"".join(path.read_bytes() for path in city.glob("harken.db*"))


@pytest.mark.usefixtures("city")
def test_a_short_password_adds_nobody(harken: Harken) -> None:
    told = harken("staff", "add", "bob@example.gov", "--role", "admin", "--password-stdin", stdin="short\n")

    assert told.returncode == 2
    assert harken("staff", "list").stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["ann@example.gov", "--role", "boss"],
        ["ann", "--role", "viewer"],
        ["ann@example.gov", "--role", "viewer", "--account", "ghost"],
        ["ann@example.gov", "--role", "viewer", "--department", "Ghosts"],
    ],
    ids=["role", "e-mail", "account", "department"],
)
def test_who_or_what_is_not_known_is_refused(city: Path, harken: Harken, arguments: list[str]) -> None:
    told = harken("staff", "add", *arguments)

    assert told.returncode == 2
    assert len(told.stderr.splitlines()) == 1
    assert how_many(city, "staff") == 0


@pytest.mark.usefixtures("city")
def test_disabling_keeps_the_person_in_the_records(harken: Harken) -> None:
    harken("staff", "add", "ann@example.gov", "--role", "approver")

    told = harken("staff", "disable", "ann@example.gov")

    assert told.returncode == 0
    assert "disabled" in harken("staff", "list").stdout


def test_a_token_stands_alone_on_the_last_line_and_is_kept_as_a_hash(city: Path, harken: Harken) -> None:
    told = harken("token", "create", "--role", "viewer", "--name", "dashboard")

    token = told.stdout.splitlines()[-1]
    assert told.returncode == 0, told.stderr
    assert len(token) > 30
    assert " " not in token
    assert token.encode() not in b"".join(path.read_bytes() for path in city.glob("harken.db*"))


@pytest.mark.usefixtures("city")
def test_a_token_may_stand_for_a_person(harken: Harken) -> None:
    harken("staff", "add", "ann@example.gov", "--role", "approver")

    known = harken("token", "create", "--role", "approver", "--name", "script", "--for", "ann@example.gov")
    unknown = harken("token", "create", "--role", "approver", "--name", "script", "--for", "ghost@example.gov")

    assert known.returncode == 0, known.stderr
    assert unknown.returncode == 2


# --- The audit chain ---


@pytest.mark.usefixtures("city")
def test_verify_audit_passes_what_was_only_appended_to(harken: Harken) -> None:
    harken("staff", "add", "ann@example.gov", "--role", "approver")

    told = harken("verify-audit")

    assert told.returncode == 0, told.stderr
    assert "every one in its place" in told.stdout


def test_verify_audit_names_the_first_entry_that_was_changed(city: Path, harken: Harken) -> None:
    harken("staff", "add", "ann@example.gov", "--role", "approver")
    connection = sqlite3.connect(city / "harken.db")
    with connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute("UPDATE audit SET by = 'somebody else' WHERE seq = 2")
    connection.close()

    told = harken("verify-audit")

    assert told.returncode == 1
    assert "entry 2 is bad" in told.stderr
