"""An S3 store: versitygw over a folder."""
from . import gotool, state
from .config import HOST
from .probe import http_ok, wait

NAME = "s3"
KEY, SECRET = "test", "testsecret"


def up() -> None:
    """Start the store with no buckets; metadata is kept beside the objects."""
    program, port = gotool.build("versitygw"), state.port_for(NAME)
    buckets, metadata, iam = (state.folder(NAME) / d for d in ("buckets", "metadata", "iam"))
    for folder in (buckets, metadata, iam):
        folder.mkdir(parents=True, exist_ok=True)
    state.spawn(NAME, NAME, [program, "--access", KEY, "--secret", SECRET, "--port", f"{HOST}:{port}", "--quiet",
                             "--health", "/healthz", "--iam-dir", iam, "posix", "--sidecar", metadata, buckets], port)
    wait(NAME, "answer to /healthz", lambda: http_ok(f"http://{HOST}:{port}/healthz"))


def env() -> dict[str, str]:
    """Return S3_ENDPOINT and the variables that S3 clients read."""
    url = f"http://{HOST}:{state.load(NAME).ports['main']}"
    return {"S3_ENDPOINT": url, "AWS_ENDPOINT_URL": url, "AWS_ENDPOINT_URL_S3": url, "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true", "AWS_S3_USE_PATH_STYLE": "true"}
