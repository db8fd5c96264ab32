"""A plain psycopg script: it has the signature of a task that another program runs, and enqueues it in its own transaction.

pip install howdah "psycopg[binary]"
export HOWDAH_DSN=postgresql://...
howdah migrate
howdah worker signup:jobs               # the task's own program, in another terminal
python psycopg_signup.py ada@example.org
"""

import sys

import psycopg
from howdah import App

jobs = App()


@jobs.stub
async def welcome(user_id: int, email: str) -> str:
    raise NotImplementedError  # its function lives in signup.py


def main(email: str) -> None:
    with psycopg.connect(jobs.config.dsn or "") as conn:
        conn.execute("create table if not exists users (id bigint generated always as identity, email text unique)")
        row = conn.execute("insert into users (email) values (%s) returning id", [email]).fetchone()
        assert row is not None
        run = welcome.options(conn=conn).enqueue_sync(row[0], email)
    # Committed here, both or neither. Awaiting the result needs the commit.
    print(run.result_sync(timeout="30s"))


if __name__ == "__main__":
    main(*sys.argv[1:] or ["ada@example.org"])
