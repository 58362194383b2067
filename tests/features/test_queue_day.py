"""A whole working day of a large queue, in seconds: nobody is lost, nobody is served twice, the figures are right."""

import asyncio
import random
from collections import Counter
from dataclasses import replace

from pbx.reports.facts import conversations_of
from storage.records import Office, Queue
from tests.features.test_queue_races import assert_one_at_a_time
from tests.support.builders import terminal
from tests.support.office import open_office
from tests.support.ua import Phone, PhoneCall
