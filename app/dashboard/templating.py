"""The templates."""

from pathlib import Path

from starlette.templating import Jinja2Templates

from app.staff.roles import may

templates = Jinja2Templates(Path(__file__).parent / "templates")
templates.env.globals["may"] = may
