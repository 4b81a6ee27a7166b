# Makes a laboratory in an empty Redmine, as the plan says that the environment variable PV_LIVE_PLAN names.
#
# Runs within `rails runner`. Users get the API keys of the plan, so that nobody has to fetch them.
require "json"

PLAN = JSON.parse(File.read(ENV.fetch("PV_LIVE_PLAN")))

Redmine::DefaultData::Loader.load("en")
PLAN["settings"].each { |name, value| Setting[name] = value }

def give_key(user, key)
  Token.where(user_id: user.id, action: "api").delete_all
  Token.create!(user: user, action: "api").update_column(:value, key)
end

admin = User.find_by!(login: PLAN["admin"]["login"])
admin.password = admin.password_confirmation = PLAN["admin"]["password"]
admin.must_change_passwd = false
admin.save!
give_key(admin, PLAN["admin"]["key"])

statuses = IssueStatus.sorted.to_a
trackers = PLAN["trackers"].map do |name|
  tracker = Tracker.create!(name: name, default_status: statuses.first)
  tracker.copy_workflow_rules(Tracker.sorted.first)
  tracker
end

said = PLAN["role"]
role = Role.create!(name: said["name"], permissions: said["permissions"].map(&:to_sym), assignable: false)
allowed = statuses.reject { |status| status.name == said["forbidden_status"] }
trackers.product([0, *statuses.map(&:id)], allowed).each do |tracker, before, after|
  next if before == after.id
  WorkflowTransition.create!(role: role, tracker: tracker, old_status_id: before, new_status_id: after.id)
end

[IssueCustomField, TimeEntryCustomField].each do |kind|
  field = kind.new(name: PLAN["key_field"], field_format: "string", is_filter: true, visible: true)
  field.is_for_all = true if kind == IssueCustomField
  field.trackers = Tracker.all.to_a if kind == IssueCustomField
  field.save!
end
PLAN["activities"].each { |name| TimeEntryActivity.create!(name: name, active: true) }

projects = PLAN["projects"].map do |project|
  made = Project.new(name: project["identifier"].capitalize, is_public: project["public"])
  made.identifier = project["identifier"]
  made.enabled_module_names = %w[issue_tracking time_tracking]
  made.trackers = Tracker.all.to_a
  made.save!
  made
end

PLAN["users"].each do |user|
  made = User.new(firstname: user["login"].capitalize, lastname: "Live", mail: user["mail"])
  made.login = user["login"]
  made.password = made.password_confirmation = SecureRandom.hex(16)
  made.save!
  made.pref.hide_mail = user.fetch("hide_mail", false)
  made.pref.save!
  give_key(made, user["key"]) if user["key"]
  next unless user["role"]
  projects.each { |project| Member.create!(project: project, principal: made, roles: [Role.find_by!(name: user["role"])]) }
end
puts "seeded #{projects.size} projects"
