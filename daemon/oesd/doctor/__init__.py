"""``oesd doctor``: what a lab technician asks a machine before asking a person. README.md tells what is looked at."""

from oesd.doctor.bundle import write_report
from oesd.doctor.examination import examine
from oesd.doctor.finding import Finding, Host, Level
from oesd.doctor.key import check_key

__all__ = ["Finding", "Host", "Level", "check_key", "examine", "write_report"]
