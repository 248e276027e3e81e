"""One picture from a camera, for whoever installs it."""

import subprocess

from drivers.camera.plan import LoginError, Plan, read_login, script, try_command

TRY_S = 20.0


def why_no_picture(plan: Plan) -> str:
    """Empty: one came. Else why not, in ffmpeg's words and without the login. Takes TRY_S at most."""
    login = ""
    try:
        login = read_login(plan.login_file) if plan.login_file else ""
        told = script(plan, login) if login else b""
        subprocess.run(try_command(plan), input=told, capture_output=True, timeout=TRY_S, check=True)  # noqa: S603 - ours
    except subprocess.TimeoutExpired:
        return f"no picture in {TRY_S:.0f} s"
    except subprocess.CalledProcessError as why:
        lines = why.stderr.decode(errors="replace").strip().splitlines()
        words = str(lines[-1]) if lines else f"ffmpeg ended with {why.returncode}"
        return words.replace(login, "...") if login else words
    except (OSError, LoginError) as why:
        return str(why)
    return ""
