"""A Django project in one file: a view enqueues in its own transaction, through Django's connection.

pip install howdah django "psycopg[binary]"
export HOWDAH_DSN=postgresql://...
howdah migrate
howdah worker signup:jobs               # the task's own program, in another terminal
python django_signup.py runserver
curl localhost:8000/users -d email=ada@example.org
"""

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path
from howdah import App
from psycopg.conninfo import conninfo_to_dict

dsn = conninfo_to_dict(os.environ["HOWDAH_DSN"])
settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY="of an example",
    ALLOWED_HOSTS=["*"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": dsn.get("dbname", ""),
            "USER": dsn.get("user", ""),
            "PASSWORD": dsn.get("password", ""),
            "HOST": dsn.get("host", ""),
            "PORT": dsn.get("port", ""),
        }
    },
)

jobs = App()


@jobs.stub
async def welcome(user_id: int, email: str) -> str:
    raise NotImplementedError  # its function lives in signup.py


def users(request: HttpRequest) -> JsonResponse:
    email = request.POST["email"]
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("create table if not exists users (id bigint generated always as identity, email text unique)")
            cursor.execute("insert into users (email) values (%s) returning id", [email])
            (user_id,) = cursor.fetchone()
            run = welcome.options(conn=connection).enqueue_sync(user_id, email)
    except IntegrityError:
        return JsonResponse({"error": "no second user, and no second mail"}, status=409)
    return JsonResponse({"user_id": user_id, "run_id": run.id}, status=201)


urlpatterns = [path("users", users)]
application = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
