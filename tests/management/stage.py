"""An app with tasks that end in every way, for what looks after them."""

from howdah import App


class Shop:
    """Tasks of a small shop."""

    def __init__(self, dsn: str) -> None:
        self.jobs = App(dsn, grace_s=2, hard_grace_s=2)
        self.mended = False

        @self.jobs.task(retry=1)
        async def charge(customer: int) -> str:
            if not self.mended and customer % 2:
                raise ValueError(f"no such customer: {customer}")
            return f"charged {customer}"

        @self.jobs.task(queue="mail")
        async def mail(to: str) -> None: ...

        self.charge, self.mail = charge, mail
