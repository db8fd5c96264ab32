"""A sign-up: the user and the mail to come are committed together, or neither; and the mail is tried until it goes out.

HOWDAH_DSN=postgresql://... python examples/signup.py    (after `howdah migrate`)
"""

import asyncio

import asyncpg
from howdah import App, Retry, current_run

jobs = App()


@jobs.task(retry=Retry(5, base="200ms"), timeout="30s")
async def welcome(user_id: int, email: str) -> str:
    return await send_mail(email, f"welcome aboard, user {user_id}")


async def sign_up(pool: "asyncpg.Pool[asyncpg.Record]", email: str) -> int:
    async with pool.acquire() as conn, conn.transaction():
        user_id = await conn.fetchval("insert into signup_user (email) values ($1) returning id", email)
        run = await welcome.options(conn=conn).enqueue(user_id, email)
    return run.id


async def send_mail(email: str, text: str) -> str:
    """Stands for a mail server that is down when it is asked first."""
    if current_run().attempt == 1:
        raise ConnectionError("the mail server is not there just now")
    return f"to {email}: {text}"


async def main() -> None:
    async with jobs.work(), asyncpg.create_pool(jobs.config.dsn, min_size=1) as pool:
        await pool.execute("create table if not exists signup_user (id bigint generated always as identity, email text unique)")
        await pool.execute("delete from signup_user")

        run_id = await sign_up(pool, "ada@example.org")
        try:
            await sign_up(pool, "ada@example.org")
        except asyncpg.UniqueViolationError:
            print("ada is known already: no second user, and no second mail")

        print(await welcome.attach(run_id).result(timeout="30s"))


if __name__ == "__main__":
    asyncio.run(main())
