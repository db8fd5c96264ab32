"""What the container works on. `docker compose up`, then `docker compose exec worker howdah enqueue welcome '{"user_id": 1}' --wait`."""

import asyncio

from howdah import App

jobs = App()


@jobs.task
async def welcome(user_id: int) -> str:
    await asyncio.sleep(1)
    return f"welcome aboard, user {user_id}"
