# -*- coding: utf-8 -*-
# ruff: noqa: E402, F821, UP009, UP020, UP031
"""Makes a SENAITE site with a laboratory that is ready for photovoltaic modules.

Runs under Python 2.7 within ``zconsole run``, which provides ``app``. It reads the plan (clients, sample type,
analyses, users) as JSON from the file that the environment variable ``PV_LIVE_PLAN`` names.
"""

import io
import json
import os

import transaction
from AccessControl.SecurityManagement import newSecurityManager
from Products.CMFPlone.factory import addPloneSite
from Testing.makerequest import makerequest
from zope.component.hooks import setSite
from zope.globalrequest import setRequest

with io.open(os.environ["PV_LIVE_PLAN"], encoding="utf-8") as plan_file:
    PLAN = json.load(plan_file)

app = makerequest(app)
setRequest(app.REQUEST)
# Zope makes its first user from a file that it then removes, so that a second database begins without one.
if app.acl_users.getUser(str(PLAN["admin"])) is None:
    app.acl_users._doAddUser(str(PLAN["admin"]), str(PLAN["admin_password"]), ["Manager"], [])
newSecurityManager(None, app.acl_users.getUser(str(PLAN["admin"])).__of__(app.acl_users))
addPloneSite(
    app,
    "senaite",
    title="SENAITE",
    profile_id="Products.CMFPlone:plone",
    extension_ids=("plonetheme.barceloneta:default", "senaite.lims:default"),
    setup_content=False,
    default_language="en",
)
transaction.commit()
portal = app.senaite
setSite(portal)

from bika.lims import api
from plone import api as plone_api

for client in PLAN["clients"]:
    folder = api.create(portal.clients, "Client", title=client["name"], ClientID=client["id"])
    api.create(folder, "Contact", Firstname=client["firstname"], Surname=client["surname"])

setup = portal.setup
api.create(setup.sampletypes, "SampleType", title=PLAN["sample_type"], prefix="PVM", min_volume="1 ml")
department = api.create(setup.departments, "Department", title="PV laboratory", department_id="PVL")
categories = {}
for service in PLAN["services"]:
    category = service["category"]
    if category not in categories:
        made = api.create(
            setup.analysiscategories, "AnalysisCategory", title=category, department=api.get_uid(department)
        )
        categories[category] = api.get_uid(made)
    api.create(
        portal.bika_setup.bika_analysisservices,
        "AnalysisService",
        title=service["title"],
        Keyword=service["keyword"],
        Category=categories[category],
        Unit=service["unit"],
        Precision=4,
        AllowManualUncertainty=True,
    )

for user in PLAN["users"]:
    plone_api.user.create(
        email="%s@laboratory.example" % user["name"],
        username=user["name"],
        password=user["password"],
        roles=["Member"],
    )
    for group in user["groups"]:
        plone_api.group.add_user(groupname=group, username=user["name"])

transaction.commit()
print("seeded %d analysis services" % len(PLAN["services"]))
