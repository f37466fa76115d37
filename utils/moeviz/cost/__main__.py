"""Print the published models, derived against published: `python -m moeviz.cost`."""

from moeviz.models import report

if __name__ == "__main__":
    print(report())
