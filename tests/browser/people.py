"""What every browser test does: logging in as somebody of the demonstration."""

from workflow.demo.cast import PASSWORD

SETUP = [("demo", "--no-serve")]


def log_in(page, username: str, base: str = "") -> None:
    """Log in through the form and land on the home page."""
    page.goto(f"{base}/login/")
    page.fill("[name=username]", username)
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/")
    page.get_by_role("heading", name="我的工作", level=1).wait_for()
