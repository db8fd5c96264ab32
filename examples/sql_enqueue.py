"""Plain SQL enqueues, from any language and in its own transaction; this process runs it and prints the result.

HOWDAH_DSN=postgresql://... python examples/sql_enqueue.py    (after `howdah migrate`)
"""

import asyncio

import asyncpg
from howdah import App

jobs = App()


@jobs.task
async def add(a: int, b: int) -> int:
    return a + b


async def main() -> None:
    async with jobs.work():
        connection = await asyncpg.connect(jobs.config.dsn)
        run_id = await connection.fetchval("""select howdah.enqueue('add', '{"a": 2, "b": 3}')""")
        await connection.close()
        print(await add.attach(run_id).result(timeout="30s"))


if __name__ == "__main__":
    asyncio.run(main())
