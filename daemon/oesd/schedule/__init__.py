"""When runs begin and backgrounds are taken. Decides, and does nothing itself."""

from oesd.schedule.cron import check_plan, cron
from oesd.schedule.scheduler import Schedule

__all__ = ["Schedule", "check_plan", "cron"]
