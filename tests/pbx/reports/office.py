"""The office whose days are reported about."""

from storage.records import EmployeeGroup, Office, Provider, Queue, Tariff, Terminal, User
from tests.pbx.reports.day import TERMINALS

OFFICE = Office(
    timezone="UTC",
    users=(User("anna", "Anna"), User("boris", "Boris")),
    employee_groups=(EmployeeGroup("sales", members=("anna",)),),
    terminals=tuple(Terminal(number, "anna" if number < "111" else "boris") for number in TERMINALS),
    providers=(Provider("telco", "192.0.2.1", max_calls=100), Provider("other", "192.0.2.2")),
    queues=(Queue("500", agents=TERMINALS),),
    tariffs=(
        Tariff("city", "telco", "7", minute=150, step=60),
        Tariff("mobile", "telco", "7916", minute=250, connection=50, step=1),
    ),
)  # fmt: skip
