"""CONTRACT 2.14: the README's example is the sign-up, and the pages say first what has to be known first."""

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import asyncpg
import pytest

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
EXAMPLE = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)[0]
MAILS = """
asked = 0

async def send_mail(email: str, text: str) -> str:
    global asked
    asked += 1
    if asked == 1:
        raise ConnectionError("the mail server is not there just now")
    return f"to {email}: {text}"
"""


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


@pytest.fixture
def example(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("HOWDAH_DSN", dsn)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mails.py").write_text(MAILS)
    (tmp_path / "shop.py").write_text(EXAMPLE)
    spec = importlib.util.spec_from_file_location("shop", tmp_path / "shop.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_the_readme_s_example_is_the_sign_up_with_transaction_welcome_mail_and_retry(example: ModuleType, dsn: str) -> None:
    async with asyncpg.create_pool(dsn, min_size=1) as pool, example.jobs.work():
        await pool.execute("create table users (id bigint generated always as identity, email text unique)")
        assert await example.sign_up(pool, "ada@example.org") == 1
        (run,) = await example.jobs.runs.list()
        assert await example.welcome.attach(run.id).result("20s") == "to ada@example.org: welcome aboard"
        assert (await example.jobs.runs.get(run.id)).attempts == 2, "the mail server was away at first"

        with pytest.raises(asyncpg.UniqueViolationError):
            await example.sign_up(pool, "ada@example.org")
        assert len(await example.jobs.runs.list()) == 1, "no second user, and no second mail"


def test_the_readme_s_example_imports_at_most_five_names() -> None:
    imports = [node for node in ast.walk(ast.parse(EXAMPLE)) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert len([alias for node in imports for alias in node.names]) <= 5


def test_the_readme_s_example_stands_before_its_first_section() -> None:
    assert README.index(EXAMPLE) < README.index("\n## ")


def test_the_asgi_page_begins_with_when_not_to_work_in_the_web_process() -> None:
    assert re.findall(r"^#.*", page("asgi.md"), re.MULTILINE)[1] == "## When not to work in the web process"


def test_the_transactions_page_has_the_rule_reversible_before_irreversible() -> None:
    assert re.findall(r"^#.*", page("guarantees.md"), re.MULTILINE)[:2] == [
        "# Transactions and guarantees",
        "## The rule: reversible before irreversible",
    ]


def table_of_words() -> list[list[str]]:
    """The rows of the one table whose first column is ours."""
    (table,) = re.findall(r"^\| Howdah \|.*\n(?:\|.*\n)+", page("coming-from.md"), re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if not line.startswith("|---")]


def test_one_table_maps_the_words_of_hatchet_celery_chancy_and_pgqueuer_to_ours() -> None:
    heads, *rows = table_of_words()
    assert {"Hatchet", "Celery", "Chancy", "PgQueuer"} <= set(heads)
    assert {len(row) for row in rows} == {len(heads)}
    ours = " ".join(row[0] for row in rows)
    words = ["task", "run", "attempt", "lease", "queue", "limit", "event", "signal", "step", "flow", "schedule", "node"]
    assert [word for word in words if not re.search(rf"\b{word}\b", ours)] == []


def test_an_event_of_hatchet_is_a_signal_here() -> None:
    heads, *rows = table_of_words()
    (signal,) = [row for row in rows if row[0].startswith("signal")]
    assert signal[heads.index("Hatchet")].startswith("event")


def test_what_is_not_there_yet_is_said_so_and_no_name_of_it_is_exported() -> None:
    import howdah

    missing = {row[0].removesuffix(" (not there yet)") for row in table_of_words() if row[0].endswith("(not there yet)")}
    assert missing == {"signal", "step", "durable run", "flow", "schedule"}
    assert not {"durable", "flow", "signal", "schedule"} & set(howdah.__all__)


def test_every_page_stands_in_the_index() -> None:
    pages = {file.name for file in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert set(re.findall(r"^\| \[([\w-]+\.md)\]", page("README.md"), re.MULTILINE)) == pages
    assert {name for name in pages if f"(docs/{name})" not in README} == set()
