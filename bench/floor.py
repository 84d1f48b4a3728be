"""The least that a run can do: the imports it can't do without, one ping, one list of images."""

import cattrs  # noqa: F401 - for what importing it costs
import docker
import doit  # noqa: F401 - as above
import tomli  # noqa: F401 - as above
from docker.utils import kwargs_from_env

client = docker.APIClient(**kwargs_from_env(), version="auto")
client.ping()
client.images()
client.close()
